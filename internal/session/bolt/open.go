package bolt

import (
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

	"github.com/wxgate/wxgate/internal/session"
)

const (
	fileMode      = 0o600 // the content is sealed; no other user needs even that
	directoryMode = 0o700

	// lockTimeout is how long opening waits for another process to let go of the
	// file: a restart overlaps by less.
	lockTimeout = time.Second

	// maxFileBytes bounds the file: room for some ten million sessions. A flood
	// of logins must not fill the disk that Caddy keeps its certificates on.
	maxFileBytes = 16 << 30 // 16 GiB

	// openAttempts is how often a file is opened that was replaced (by a
	// compaction) while its lock was waited for.
	openAttempts = 3
)

// openDatabase opens the database at path and says in our words why it cannot.
func openDatabase(path string, readOnly bool) (*bbolt.DB, error) {
	for range openAttempts {
		db, replaced, err := tryOpen(path, readOnly)
		if err != nil {
			return nil, explain(path, err)
		}
		if !replaced {
			return db, nil
		}
	}
	return nil, fmt.Errorf("%w: %s is being replaced: %s", session.ErrLocked, path, adviseLocked)
}

// tryOpen opens the file once. replaced says that the lock was won on a file that
// is no longer the one at path: writing to that one would lose everything.
func tryOpen(path string, readOnly bool) (db *bbolt.DB, replaced bool, err error) {
	if err := inspect(path); err != nil {
		return nil, false, err
	}
	var file *os.File
	db, err = open(path, &bbolt.Options{
		Timeout:         lockTimeout,
		ReadOnly:        readOnly,
		PreLoadFreelist: true, // for tx.Check
		FreelistType:    bbolt.FreelistMapType,
		MaxSize:         maxFileBytes,
		NoStatistics:    true,
	}, &file)
	if err != nil {
		return nil, false, err
	}
	held, heldErr := file.Stat()
	named, namedErr := os.Stat(path)
	if heldErr == nil && namedErr == nil && os.SameFile(held, named) {
		return db, false, nil
	}
	return nil, true, db.Close()
}

// inspect looks at a file before bbolt reads its pages, since bbolt that panics
// half way through opening keeps the file locked for as long as the process
// lives. Nothing is wrong with a file that is not there or is empty.
func inspect(path string) error {
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return nil //nolint:nilerr // opening says why it cannot
	}
	var file *os.File
	db, err := open(path, &bbolt.Options{Timeout: lockTimeout, ReadOnly: true, NoStatistics: true}, &file)
	if err != nil {
		return err
	}
	err = guarded(session.ErrCorrupt, func() error {
		return db.View(func(tx *bbolt.Tx) error { return soundPages(tx, file) })
	})
	return errors.Join(err, db.Close())
}

// open is bbolt.Open without panics; file is what it opened.
func open(path string, options *bbolt.Options, file **os.File) (db *bbolt.DB, err error) {
	options.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		var err error
		*file, err = os.OpenFile(name, flag, mode)
		return *file, err
	}
	err = guarded(session.ErrCorrupt, func() error {
		var err error
		db, err = bbolt.Open(path, fileMode, options)
		return err
	})
	if err != nil && *file != nil {
		_ = (*file).Close() // bbolt closes it itself, but not in a panic
	}
	return db, err
}

// explain turns why bbolt did not open a file into what an operator can do.
func explain(path string, err error) error {
	var inPath *fs.PathError
	var errno syscall.Errno
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w: %s: %s", session.ErrLocked, path, adviseLocked)
	case errors.As(err, &inPath), errors.As(err, &errno):
		return session.Unavailable(fmt.Errorf("opening the session store: %w", err))
	case errors.Is(err, session.ErrCorrupt):
		return fmt.Errorf("%s: %w: %s", path, err, adviseCorrupt)
	default:
		return fmt.Errorf("%w: %s: %w: %s", session.ErrCorrupt, path, err, adviseCorrupt)
	}
}

// guarded runs fn and turns a panic into an error of a class. bbolt panics on
// pages that cannot be, and faults on pages that are not there; one damaged page
// must not take every site of the process down.
func guarded(class error, fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", class, p)
		}
	}()
	return fn()
}

// makeDirectory makes the directory of a file and, if the file is to be made in
// it, has the directory remember it across a power loss.
func makeDirectory(path string) error {
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
	return syncDirectory(dir)
}

// syncDirectory makes new and renamed files durable. Windows has no such call and
// no such need: its file system keeps a journal of names.
func syncDirectory(dir string) error {
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
