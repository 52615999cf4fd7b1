package bolt

import (
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/database"
	"github.com/wxgate/wxgate/internal/session/bolt/upgrade"
)

const (
	// compactStep is how much one transaction of a compaction copies, in bytes: enough
	// to be fast, and little enough for any machine's memory.
	compactStep = 1 << 20 // 1 MiB

	// compactSuffix names the copy. An interrupted compaction leaves it behind, and the
	// next one overwrites it.
	compactSuffix = ".compact"
)

// Compact rewrites the file at path without its free pages, and returns its size in bytes
// before and after. The gateway must not be running on it: [session.ErrLocked]. A crash at
// any point leaves the complete old file or the complete new file.
func Compact(path string) (before, after int64, err error) {
	if _, err := os.Stat(path); err != nil {
		return 0, 0, session.Unavailable(fmt.Errorf("finding the session store: %w", err))
	}
	// The old file stays open, and so locked, until the new one has its name.
	if before, err = sizeOf(path); err != nil {
		return 0, 0, err
	}
	src, err := upgrade.Open(path, database.EveryBucket)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	temp := path + compactSuffix
	if err := copyTo(temp, src.DB); err != nil {
		return 0, 0, errors.Join(fmt.Errorf("compacting %s: %w", path, err), database.Remove(temp))
	}
	if after, err = sizeOf(temp); err != nil {
		return 0, 0, err
	}
	return before, after, database.Replace(path, temp)
}

// copyTo writes all of src to a new file and syncs it.
func copyTo(path string, src *bbolt.DB) error {
	if err := database.Remove(path); err != nil {
		return err
	}
	dst, err := database.Open(path, false, database.EveryBucket)
	if err != nil {
		return err
	}
	return errors.Join(database.Guard(session.ErrCorrupt, func() error {
		if err := src.View(func(tx *bbolt.Tx) error { _, err := walk(tx); return err }); err != nil {
			return err
		}
		return bbolt.Compact(dst.DB, src, compactStep) // each of its commits syncs
	}), dst.Close())
}

func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, session.Unavailable(fmt.Errorf("measuring the session store: %w", err))
	}
	return info.Size(), nil
}
