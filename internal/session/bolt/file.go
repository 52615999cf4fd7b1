package bolt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
)

// File is the open session store of one process, which outlives a reload. Any number
// of [Store] use one, and share its revocations. It is safe for
// concurrent use.
type File struct {
	path    string
	opts    session.Options
	db      *bbolt.DB
	commits *committer
	set     *session.Set
	sweeper session.Sweeper

	opening sync.Mutex // one call of Store at a time, so that one makes the index key
}

// Open opens the store at path, or makes one: the file for its owner alone,
// its directory too if it has to be made. Errors: [session.ErrLocked], [session.ErrCorrupt],
// [session.ErrNewerSchema]; each says what to do.
//
// Revocations are known once [File.Store] was called: they are sealed.
func Open(path string, opts session.Options) (*File, error) {
	if err := makeDirectory(path); err != nil {
		return nil, err
	}
	db, err := openDatabase(path, false)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, opts: opts.WithDefaults(), db: db, commits: &committer{db: db}, set: session.NewSet()}
	if err := f.prepare(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return f, nil
}

// prepare creates the buckets of a new file and checks the schema of an old one. It
// reads no session.
func (f *File) prepare() error {
	return guarded(session.ErrCorrupt, func() error {
		if err := f.db.Update(createBuckets); err != nil && !errors.Is(err, errUnchanged) {
			return fmt.Errorf("preparing %s: %w", f.path, err)
		}
		return nil
	})
}

// Store is an [auth.Store] over the file for one configuration; now is the clock
// that decides what has ended. It loads the revocations, if only to see that box
// opens them. The error wraps [session.ErrOtherSecret] when box has not the root secret
// that the file needs.
func (f *File) Store(box *seal.Box, now func() time.Time) (*Store, error) {
	f.opening.Lock()
	defer f.opening.Unlock()
	index, err := f.indexKey(box)
	if err != nil {
		return nil, err
	}
	s := &Store{file: f, now: now, vault: session.Vault{Box: box, IndexKey: index}}
	if err := s.loadRevocations(); err != nil {
		return nil, err
	}
	return s, nil
}

// Revocations is the set that the file's revocations are in force in.
func (f *File) Revocations() *session.Set { return f.set }

// Start begins sweeping until [File.Close]. A second call does nothing.
func (f *File) Start() {
	f.sweeper.Start(f.opts.SweepEvery, func(ctx context.Context) {
		if _, err := f.Sweep(ctx, f.opts.SweepNow(), session.SweepLimit); err != nil && ctx.Err() == nil {
			f.opts.OnError(err)
		}
	})
}

// Close ends sweeping, waits for what is under way and closes the file. What
// uses the file after it gets [auth.ErrStoreUnavailable].
func (f *File) Close() error {
	f.sweeper.Stop()
	if err := f.db.Close(); err != nil {
		return fmt.Errorf("closing %s: %w", f.path, err)
	}
	return nil
}

// Ready reports whether the store can be read and, when a write has failed,
// whether a login can be written again: a full disk is found here, not by users.
func (f *File) Ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return session.Unavailable(err)
	}
	if f.commits.failed.Load() {
		if err := f.commits.do(probe); err != nil {
			return session.Unavailable(err)
		}
		f.commits.failed.Store(false)
	}
	return session.Unavailable(guarded(auth.ErrStoreUnavailable, func() error { return f.db.View(checkSchema) }))
}

// apply puts revocations in force that were committed.
func (f *File) apply(revoked []auth.Revocation) {
	for _, rev := range revoked {
		f.set.Add(rev)
	}
}
