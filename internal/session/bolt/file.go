package bolt

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/counts"
	"github.com/wxgate/wxgate/internal/session/bolt/database"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
	"github.com/wxgate/wxgate/internal/session/bolt/recent"
	"github.com/wxgate/wxgate/internal/session/bolt/upgrade"
)

// recentLimit is a variable for tests.
var recentLimit = recent.Limit

// File is the open session store of one process. It outlives configuration reloads. Any
// number of [Store] values use it, and share its revocations. It is safe for concurrent use.
type File struct {
	path    string
	opts    session.Options
	db      *database.DB
	pages   *pageCheck
	commits *database.Committer
	recent  *recent.Index
	set     *session.Set
	counter *counts.Counter
	sweeper session.Sweeper

	opening   sync.Mutex // one call of Store at a time, so that only one creates the index key
	wiping    sync.Mutex // one wipe at a time
	reporting sync.WaitGroup
}

// openWait is how long opening waits for the check of all pages. A damaged file of up to some
// 100,000 sessions is refused at once, and a larger file does not delay the start.
const openWait = 200 * time.Millisecond

// manyRevocations is how many revocations leave so much garbage when they are loaded that
// it is returned to the operating system at once. Otherwise a process that rarely collects
// garbage would keep several times the memory of a million revocations.
const manyRevocations = 50_000

// Open opens the store at path, or creates it, readable only by its owner. Errors:
// [session.ErrLocked], [session.ErrCorrupt], [session.ErrNewerSchema]; each message says what
// to do.
//
// The pages of a large file are checked after Open has returned. Until the check has finished,
// everything that uses sessions waits. If the file is damaged, opts.OnError is called, and
// every call returns [session.ErrCorrupt].
//
// Revocations are known after the first call of [File.Store], because they are sealed.
func Open(path string, opts session.Options) (*File, error) { return openFile(path, opts, openWait) }

func openFile(path string, opts session.Options, wait time.Duration) (*File, error) {
	if err := database.MakeDirectory(path); err != nil {
		return nil, err
	}
	db, err := upgrade.Open(path, layout.NeededAtOnce)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, opts: opts.WithDefaults(), db: db, set: session.NewSet()}
	if err := f.prepare(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	f.pages = startPageCheck(db, f.counter)
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := f.sound(ctx); err != nil && ctx.Err() == nil {
		return nil, errors.Join(err, f.Close())
	}
	f.reporting.Go(func() {
		if err := f.sound(context.Background()); errors.Is(err, session.ErrCorrupt) {
			f.opts.OnError(err)
		}
	})
	return f, nil
}

// sound waits for the check of all pages and returns its result.
func (f *File) sound(ctx context.Context) error {
	err := f.pages.wait(ctx)
	if errors.Is(err, session.ErrCorrupt) {
		err = database.Explain(f.path, err)
	}
	return session.Unavailable(err)
}

// prepare creates the buckets of a new file. In an existing file, it checks the schema and
// reads the recent sessions, and no others.
func (f *File) prepare() error {
	return database.Guard(session.ErrCorrupt, func() error {
		if err := f.db.Update(layout.Create); err != nil && !errors.Is(err, database.ErrUnchanged) {
			return fmt.Errorf("preparing %s: %w", f.path, err)
		}
		err := f.db.View(func(tx *bbolt.Tx) (err error) {
			f.recent, err = recent.Load(tx, [2][]byte{layout.RecentA, layout.RecentB})
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w: %s", f.path, err, database.AdviseCorrupt)
		}
		f.recent.Limit = recentLimit
		f.counter = counts.New(f.recent.View())
		f.commits = f.newCommitter()
		return nil
	})
}

// newCommitter returns a committer whose commits also merge some recent sessions into the
// indexes of users and persons.
func (f *File) newCommitter() *database.Committer {
	return &database.Committer{
		DB: f.db.DB,
		Begin: func(tx *bbolt.Tx) {
			layout.FillPages(tx)
			f.recent.Begin()
			f.counter.Begin()
		},
		Finish: func(tx *bbolt.Tx) error {
			return f.recent.Merge(tx, recent.Lists{
				User: func(user recent.User, id recent.Session) error { return listUser(tx, user[:], id[:]) },
				Person: func(p recent.Person, user recent.User, id recent.Session) error {
					return listPerson(tx, p[:], user[:], id[:])
				},
			})
		},
		Committed: func() {
			f.recent.Committed()
			f.counter.Committed()
		},
	}
}

// Counts returns the numbers of sessions and users in the file, including expired sessions
// that were not swept yet. They are not known until all pages are checked.
func (f *File) Counts(context.Context) (n session.Counts, known bool) {
	if !f.pages.finished() || f.pages.err != nil {
		return session.Counts{}, false
	}
	return f.counter.Total(), true
}

// Store is an [auth.Store] over the file for one configuration; now is the clock that decides
// what has expired. It loads the revocations, which also checks that box can open them. The
// error wraps [session.ErrOtherSecret] if box does not have the root secret that the file
// needs.
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
	if f.set.Len() > manyRevocations {
		debug.FreeOSMemory()
	}
	return s, nil
}

// Revocations returns the set of the file's revocations that are in effect.
func (f *File) Revocations() *session.Set { return f.set }

// Start begins sweeping until [File.Close]. A second call does nothing.
func (f *File) Start() {
	f.sweeper.Start(f.opts.SweepEvery, func(ctx context.Context) {
		if _, err := f.Sweep(ctx, f.opts.SweepNow(), session.SweepLimit); err != nil && ctx.Err() == nil {
			f.opts.OnError(err)
		}
	})
}

// Close stops sweeping, waits for calls in progress and closes the file. Later calls return
// [auth.ErrStoreUnavailable].
func (f *File) Close() error {
	f.sweeper.Stop()
	f.pages.stop()
	f.reporting.Wait()
	if err := f.db.Close(); err != nil {
		return fmt.Errorf("closing %s: %w", f.path, err)
	}
	return nil
}

// Ready reports whether the store can be read and, after a failed write, whether a login can
// be written again: this finds a full disk before users do.
func (f *File) Ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return session.Unavailable(err)
	}
	if f.commits.Failed.Load() {
		if err := f.commits.Do(func(tx *bbolt.Tx) (bool, error) {
			return true, database.Probe(tx.Bucket(layout.Meta), layout.MetaProbe)
		}); err != nil {
			return session.Unavailable(err)
		}
		f.commits.Failed.Store(false)
	}
	if f.pages.finished() {
		if err := f.sound(ctx); err != nil {
			return err
		}
	}
	return session.Unavailable(database.Guard(auth.ErrStoreUnavailable, func() error {
		return f.db.View(func(tx *bbolt.Tx) error { _, err := layout.SchemaOf(tx); return err })
	}))
}

// apply puts committed revocations into effect.
func (f *File) apply(revoked []auth.Revocation) {
	for _, rev := range revoked {
		f.set.Add(rev)
	}
}

// View calls fn to read buckets of other packages that share the file, such as queues.
func (f *File) View(ctx context.Context, fn func(*bbolt.Tx) error) error {
	if err := f.sound(ctx); err != nil {
		return err
	}
	return session.Unavailable(database.Guard(auth.ErrStoreUnavailable, func() error { return f.db.View(fn) }))
}

// Update calls fn to change buckets of other packages, in a separate transaction: sessions
// are written even if these changes fail.
func (f *File) Update(ctx context.Context, fn func(*bbolt.Tx) error) error {
	if err := f.sound(ctx); err != nil {
		return err
	}
	return session.Unavailable(database.Guard(auth.ErrStoreUnavailable, func() error { return f.db.Update(fn) }))
}
