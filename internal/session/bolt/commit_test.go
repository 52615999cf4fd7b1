package bolt

import (
	"crypto/rand"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/recent"
)

func newCommitter(t *testing.T) *committer {
	t.Helper()
	db, err := openDatabase(filepath.Join(t.TempDir(), "c.db"), false, everyBucket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Update(createBuckets); err != nil {
		t.Fatal(err)
	}
	index := new(recent.Index)
	if err := db.View(func(tx *bbolt.Tx) (err error) {
		index, err = recent.Load(tx, [2][]byte{bucketRecentA, bucketRecentB})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return &committer{db: db.DB, recent: index}
}

// A hundred writes that come in during one commit are the next commit.
func TestCommitsAreShared(t *testing.T) {
	t.Parallel()
	c := newCommitter(t)
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		transactions := map[int]bool{}
		hold := make(chan struct{})
		write := func(wait bool) {
			wg.Go(func() {
				err := c.do(func(tx *bbolt.Tx) (bool, error) {
					if wait {
						<-hold
					}
					mu.Lock()
					defer mu.Unlock()
					transactions[tx.ID()] = true
					return probe(tx)
				})
				if err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		write(true)
		for range 100 {
			write(false)
		}
		close(hold)
		wg.Wait()
		if len(transactions) != 2 {
			t.Fatalf("101 writes took %d commits, want 2", len(transactions))
		}
	})
}

var errOwn = errors.New("its own fault")

// A write that fails takes nobody along, and leaves nothing of itself.
func TestOneFailureIsItsOwn(t *testing.T) {
	t.Parallel()
	c := newCommitter(t)
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		hold := make(chan struct{})
		errs := make([]error, 4)
		for i, do := range []func(tx *bbolt.Tx) error{
			func(*bbolt.Tx) error { <-hold; return nil },
			func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put([]byte("kept"), nil) },
			func(tx *bbolt.Tx) error {
				return errors.Join(tx.Bucket(bucketMeta).Put([]byte("undone"), nil), errOwn)
			},
			func(*bbolt.Tx) error { panic("out of nothing") },
		} {
			wg.Go(func() { errs[i] = c.do(func(tx *bbolt.Tx) (bool, error) { return true, do(tx) }) })
			synctest.Wait()
		}
		close(hold)
		wg.Wait()
		if errs[0] != nil || errs[1] != nil {
			t.Errorf("others failed: %v, %v", errs[0], errs[1])
		}
		if !errors.Is(errs[2], errOwn) || !errors.Is(errs[2], auth.ErrStoreUnavailable) {
			t.Errorf("got %v, want its own error as ErrStoreUnavailable", errs[2])
		}
		if !errors.Is(errs[3], auth.ErrStoreUnavailable) || !strings.Contains(errs[3].Error(), "out of nothing") {
			t.Errorf("got %v, want the panic as an error", errs[3])
		}
		_ = c.db.View(func(tx *bbolt.Tx) error {
			if meta := tx.Bucket(bucketMeta); meta.Get([]byte("kept")) == nil || meta.Get([]byte("undone")) != nil {
				t.Error("the wrong writes were committed")
			}
			return nil
		})
	})
}

// What wrote nothing costs no commit: forged tokens must not wear the disk.
func TestNothingWrittenIsNotCommitted(t *testing.T) {
	t.Parallel()
	c := newCommitter(t)
	transaction := func() (id int) {
		_ = c.db.View(func(tx *bbolt.Tx) error {
			id = tx.ID()
			return nil
		})
		return id
	}
	before := transaction()
	if err := c.do(func(*bbolt.Tx) (bool, error) { return false, nil }); err != nil || transaction() != before {
		t.Fatalf("%v; transaction %d became %d", err, before, transaction())
	}
}

// After a write failed, being ready means that writing works again.
func TestReadyTriesToWriteAfterAFailure(t *testing.T) {
	t.Parallel()
	f, err := Open(filepath.Join(t.TempDir(), "r.db"), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := f.commits.do(func(*bbolt.Tx) (bool, error) { return true, errOwn }); err == nil || !f.commits.failed.Load() {
		t.Fatalf("%v, failed %v", err, f.commits.failed.Load())
	}
	if err := f.Ready(t.Context()); err != nil || f.commits.failed.Load() {
		t.Fatalf("%v, failed %v", err, f.commits.failed.Load())
	}
}

// A file that cannot grow has room for a small write where it has none for a
// login. It is not ready, however often it is asked.
func TestNotReadyWhereNoLoginFits(t *testing.T) {
	t.Parallel()
	f, err := Open(filepath.Join(t.TempDir(), "full.db"), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	f.db.MaxSize = 256 << 10 // stands for a full disk
	login := func() error {
		return f.commits.do(func(tx *bbolt.Tx) (bool, error) {
			for _, bucket := range [][]byte{bucketSessions, bucketUsers, bucketRecentA, bucketEnds} {
				if err := tx.Bucket(bucket).Put([]byte(rand.Text()), make([]byte, 256)); err != nil {
					return false, err
				}
			}
			return true, nil
		})
	}
	for err == nil {
		err = login()
	}
	logout := func() error {
		return f.commits.do(func(tx *bbolt.Tx) (bool, error) {
			return true, tx.Bucket(bucketRevocations).Put([]byte("s"), nil)
		})
	}
	for i := range 3 {
		if err := f.Ready(t.Context()); !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Fatalf("ready says %v after %d logouts, a login %v", err, i, login())
		}
		if err := logout(); err != nil {
			t.Fatalf("the room of a logout is what this is about: %v", err)
		}
	}
	f.db.MaxSize = maxFileBytes
	for range 3 {
		if err := f.Ready(t.Context()); err != nil {
			t.Fatalf("with room again: %v", err)
		}
		if err := login(); err != nil {
			t.Fatalf("with room again: %v", err)
		}
	}
}
