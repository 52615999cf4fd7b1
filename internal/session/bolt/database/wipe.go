package database

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/pages"
)

const (
	// wipeStep is how many pages one step of a wipe visits. Logins wait during a step, which
	// takes a few milliseconds.
	wipeStep = 1024
	// wipeRun is how many pages are read and written at once: 1 MiB on most machines.
	wipeRun = 256
	// readersWait is how long a step waits for read transactions in progress, while it
	// blocks new ones. They take milliseconds, except for an export of the whole file.
	readersWait = 100 * time.Millisecond
	// wipeRetry is how long a wipe waits before it tries again to find no readers.
	wipeRetry = 250 * time.Millisecond
)

// errReading is why a step of a wipe was not possible.
var errReading = errors.New("a long read of the file is under way")

// Wipe overwrites with zeros everything in the file outside of the pages in use, and returns
// once that is on the disk. Free pages keep deleted records until bbolt reuses them, and
// pages after the last one may come from a commit that a crash interrupted. Afterwards no
// part of the file contains records that were deleted before the call, except for those that
// an open read transaction can see: Wipe waits for it until ctx ends.
//
// A crash at any point leaves a valid file. Writes and reads continue between the steps.
func (db *DB) Wipe(ctx context.Context) error {
	w := &wipe{db: db}
	for !w.done {
		if err := ctx.Err(); err != nil {
			return session.Unavailable(err)
		}
		if err := w.exclusive(ctx, w.step); err != nil {
			return session.Unavailable(fmt.Errorf("wiping free pages: %w", err))
		}
	}
	if err := db.Sync(); err != nil {
		return session.Unavailable(fmt.Errorf("syncing wiped pages: %w", err))
	}
	return nil
}

// wipe is one run of [DB.Wipe].
type wipe struct {
	db *DB
	// free are the pages that were free when the wipe began and that are still to be
	// visited. Pages that are freed later contain no deleted record: they were in use, or
	// bbolt has written them since.
	free []uint64
	// tail is the position up to which the rest of the file, after the last page, is wiped.
	tail int64
	done bool

	pageSize      int64 // 0 before the first step
	buffer, zeros []byte
}

// exclusive runs fn in a write transaction that is rolled back, while there is no read
// transaction. When a write transaction begins, bbolt moves every page that waited for
// readers to the free pages. So no reader sees a free page, and bbolt reuses none of them
// without a commit.
func (w *wipe) exclusive(ctx context.Context, fn func(*bbolt.Tx) error) error {
	for {
		short, cancel := context.WithTimeout(ctx, readersWait)
		err := w.db.readers.Acquire(short, maxReaders)
		cancel()
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errReading, ctx.Err())
		case <-time.After(wipeRetry):
		}
	}
	defer w.db.readers.Release(maxReaders)
	return Guard(auth.ErrStoreUnavailable, func() error {
		tx, err := w.db.Begin(true)
		if err != nil {
			return fmt.Errorf("beginning a step: %w", err)
		}
		return errors.Join(fn(tx), tx.Rollback())
	})
}

func (w *wipe) step(tx *bbolt.Tx) (err error) {
	if w.pageSize == 0 {
		w.pageSize = int64(w.db.Info().PageSize)
		w.buffer, w.zeros = make([]byte, wipeRun*w.pageSize), make([]byte, wipeRun*w.pageSize)
		w.free, err = pages.Free(context.Background(), tx, w.db.File)
		slices.Sort(w.free)
		return err
	}
	if len(w.free) == 0 {
		return w.wipeTail(tx)
	}
	some := w.free[:min(wipeStep, len(w.free))]
	w.free = w.free[len(some):]
	for len(some) > 0 {
		run, err := freeRun(tx, some)
		if err != nil {
			return err
		}
		if err := w.overwrite(int64(some[0])*w.pageSize, int64(run)*w.pageSize); err != nil { //nolint:gosec // G115: below the size of the file
			return err
		}
		some = some[max(run, 1):]
	}
	return nil
}

// freeRun counts the pages at the beginning of some that are consecutive and still free.
func freeRun(tx *bbolt.Tx, some []uint64) (n int, err error) {
	for n < min(len(some), wipeRun) && some[n] == some[0]+uint64(n) {
		page, err := tx.Page(int(some[n])) //nolint:gosec // G115: below the size of the file
		if err != nil {
			return 0, fmt.Errorf("finding page %d: %w", some[n], err)
		}
		if page == nil || page.Type != "free" {
			break
		}
		n++
	}
	return n, nil
}

// wipeTail overwrites a part of the file after the last page in use.
func (w *wipe) wipeTail(tx *bbolt.Tx) error {
	info, err := w.db.File.Stat()
	if err != nil {
		return fmt.Errorf("measuring the file: %w", err)
	}
	w.tail = max(w.tail, tx.Size())
	for range wipeStep / wipeRun {
		n := min(int64(len(w.buffer)), info.Size()-w.tail)
		if n <= 0 {
			w.done = true
			return nil
		}
		if err := w.overwrite(w.tail, n); err != nil {
			return err
		}
		w.tail += n
	}
	return nil
}

// overwrite writes zeros unless everything is zero already: a file that was wiped before is
// only read.
func (w *wipe) overwrite(at, n int64) error {
	if _, err := w.db.File.ReadAt(w.buffer[:n], at); err != nil {
		return fmt.Errorf("reading %d bytes at %d: %w", n, at, err)
	}
	if bytes.Equal(w.buffer[:n], w.zeros[:n]) {
		return nil
	}
	if _, err := w.db.File.WriteAt(w.zeros[:n], at); err != nil {
		return fmt.Errorf("overwriting %d bytes at %d: %w", n, at, err)
	}
	return nil
}
