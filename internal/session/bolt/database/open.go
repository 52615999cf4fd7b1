// Package database opens a bbolt file and turns panics of bbolt into errors, and commits
// concurrent writes together.
package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sync/semaphore"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/pages"
)

const (
	fileMode      = 0o600 // the content is sealed; no other user needs even that
	directoryMode = 0o700

	// lockTimeout is how long opening waits for another process to release the file: the
	// two processes of a restart overlap for less time.
	lockTimeout = time.Second

	// MaxBytes bounds the file: room for some ten million sessions. A flood
	// of logins must not fill the disk that Caddy keeps its certificates on.
	MaxBytes = 16 << 30 // 16 GiB

	// openAttempts is how often opening is tried if the file was replaced (by a compaction)
	// while opening waited for its lock.
	openAttempts = 3
)

// Advice for operators about a store that does not open. Losing a store is not a disaster,
// and the advice says so.
const (
	AdviseLocked = "another wxgate or `wxgate store` has it open; stop that one, or configure a separate path"

	AdviseCorrupt = "restore it from a backup, or move it away; the next start creates a new one and every user logs in again silently (wx.login). It contains no business data"

	AdviseNewer = "run the newer wxgate again, or move the file away; every user then logs in again silently (wx.login)"

	AdviseSecret = "add the root secret that it was written with after the new one (secret <new> <old>), or move the file away; every user then logs in again silently (wx.login)"
)

// DB is an open file of bbolt.
type DB struct {
	*bbolt.DB

	File *os.File // closed with the database
	// readers admits read transactions, or a wipe while there are none.
	readers *semaphore.Weighted
}

// maxReaders is more than the number of concurrent read transactions.
const maxReaders = 1 << 30

// View is View of bbolt. It waits for a step of [DB.Wipe].
func (db *DB) View(fn func(*bbolt.Tx) error) error {
	if err := db.readers.Acquire(context.Background(), 1); err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	defer db.readers.Release(1)
	return db.DB.View(fn)
}

// EveryBucket skips no bucket.
func EveryBucket([]byte) bool { return false }

// Open checks the pages of the database at path and opens it. The pages of buckets that skip
// selects are not checked.
func Open(path string, readOnly bool, skip func(name []byte) bool) (*DB, error) {
	for range openAttempts {
		db, replaced, err := tryOpen(path, readOnly, skip)
		if err != nil {
			return nil, Explain(path, err)
		}
		if !replaced {
			return db, nil
		}
	}
	return nil, fmt.Errorf("%w: %s is being replaced: %s", session.ErrLocked, path, AdviseLocked)
}

// tryOpen opens the file once. replaced reports that the locked file is no longer the file at
// path: whatever is written to it would be lost.
func tryOpen(path string, readOnly bool, skip func(name []byte) bool) (db *DB, replaced bool, err error) {
	if err := inspect(path, skip); err != nil {
		return nil, false, err
	}
	db, err = open(path, &bbolt.Options{
		Timeout:         lockTimeout,
		ReadOnly:        readOnly,
		PreLoadFreelist: true, // for tx.Check
		FreelistType:    bbolt.FreelistMapType,
		MaxSize:         MaxBytes,
		NoStatistics:    true,
	})
	if err != nil {
		return nil, false, err
	}
	locked, lockedErr := db.File.Stat()
	named, namedErr := os.Stat(path)
	if lockedErr == nil && namedErr == nil && os.SameFile(locked, named) {
		return db, false, nil
	}
	return nil, true, db.Close()
}

// inspect checks a file before bbolt reads its pages: if bbolt panics while it opens a file,
// the file stays locked until the process ends. A file that does not exist or is empty
// passes.
func inspect(path string, skip func(name []byte) bool) error {
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return nil //nolint:nilerr // opening reports why it cannot
	}
	db, err := open(path, &bbolt.Options{Timeout: lockTimeout, ReadOnly: true, NoStatistics: true})
	if err != nil {
		return err
	}
	err = Guard(session.ErrCorrupt, func() error {
		return db.View(func(tx *bbolt.Tx) error { return pages.Check(context.Background(), tx, db.File, skip, nil) })
	})
	return errors.Join(err, db.Close())
}

// open is bbolt.Open without panics.
func open(path string, options *bbolt.Options) (*DB, error) {
	db := &DB{readers: semaphore.NewWeighted(maxReaders)}
	options.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		var err error
		db.File, err = os.OpenFile(name, flag, mode)
		return db.File, err
	}
	err := Guard(session.ErrCorrupt, func() error {
		var err error
		db.DB, err = bbolt.Open(path, fileMode, options)
		return err
	})
	if err != nil && db.File != nil {
		_ = db.File.Close() // bbolt closes it, but not after a panic
	}
	return db, err
}

// Explain adds advice for the operator to an error of bbolt.
func Explain(path string, err error) error {
	var inPath *fs.PathError
	var errno syscall.Errno
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w: %s: %s", session.ErrLocked, path, AdviseLocked)
	case errors.As(err, &inPath), errors.As(err, &errno):
		return session.Unavailable(fmt.Errorf("opening the session store: %w", err))
	case errors.Is(err, session.ErrCorrupt):
		return fmt.Errorf("%s: %w: %s", path, err, AdviseCorrupt)
	default:
		return fmt.Errorf("%w: %s: %w: %s", session.ErrCorrupt, path, err, AdviseCorrupt)
	}
}

// Guard runs fn and returns a panic as an error of the given class. bbolt panics on impossible
// pages, and faults on missing pages (https://github.com/etcd-io/bbolt/issues/446): one
// damaged page must not end the process with all its sites.
func Guard(class error, fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", class, p)
		}
	}()
	return fn()
}

// MakeDirectory creates the directory of a file. If the file does not exist yet, it also
// syncs the directory, so that the new name survives a power loss.
func MakeDirectory(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, directoryMode); err != nil {
		return session.Unavailable(fmt.Errorf("creating the directory of the session store: %w", err))
	}
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return session.Unavailable(fmt.Errorf("creating the session store: %w", err))
	}
	if err := file.Close(); err != nil {
		return session.Unavailable(fmt.Errorf("creating the session store: %w", err))
	}
	return SyncDirectory(dir)
}

// SyncDirectory makes new and renamed files durable. Windows has no such call and needs none:
// its file system keeps a journal of names.
func SyncDirectory(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return session.Unavailable(fmt.Errorf("opening the directory of the session store: %w", err))
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return session.Unavailable(fmt.Errorf("syncing the directory of the session store: %w", err))
	}
	return nil
}

// Replace renames a complete new file to the path of the session store.
func Replace(path, by string) error {
	if err := os.Rename(by, path); err != nil {
		return session.Unavailable(fmt.Errorf("replacing the session store: %w", err))
	}
	return SyncDirectory(filepath.Dir(path))
}

// Remove removes a file if it exists.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return session.Unavailable(fmt.Errorf("removing %s: %w", path, err))
	}
	return nil
}
