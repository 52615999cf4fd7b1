package database

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
)

var bucket = []byte("bucket")

func newCommitter(t *testing.T) *Committer {
	t.Helper()
	db, err := Open(filepath.Join(t.TempDir(), "c.db"), false, EveryBucket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(bucket); return err }); err != nil {
		t.Fatal(err)
	}
	return &Committer{DB: db.DB, Begin: func(*bbolt.Tx) {}, Finish: func(*bbolt.Tx) error { return nil }, Committed: func() {}}
}

// TestCommitsAreShared: a hundred writes that arrive during one commit form the next commit.
func TestCommitsAreShared(t *testing.T) {
	t.Parallel()
	c := newCommitter(t)
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		transactions := map[int]bool{}
		release := make(chan struct{})
		write := func(wait bool) {
			wg.Go(func() {
				err := c.Do(func(tx *bbolt.Tx) (bool, error) {
					if wait {
						<-release
					}
					mu.Lock()
					defer mu.Unlock()
					transactions[tx.ID()] = true
					return true, tx.Bucket(bucket).Put([]byte("k"), nil)
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
		close(release)
		wg.Wait()
		if len(transactions) != 2 {
			t.Fatalf("101 writes took %d commits, want 2", len(transactions))
		}
	})
}

var errOwn = errors.New("failed write")

// TestFailedWriteDoesNotAffectOthers: a failed write does not make other writes fail, and leaves
// no changes.
func TestFailedWriteDoesNotAffectOthers(t *testing.T) {
	t.Parallel()
	c := newCommitter(t)
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		release := make(chan struct{})
		errs := make([]error, 4)
		for i, do := range []func(tx *bbolt.Tx) error{
			func(*bbolt.Tx) error { <-release; return nil },
			func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put([]byte("kept"), nil) },
			func(tx *bbolt.Tx) error {
				return errors.Join(tx.Bucket(bucket).Put([]byte("undone"), nil), errOwn)
			},
			func(*bbolt.Tx) error { panic("test panic") },
		} {
			wg.Go(func() { errs[i] = c.Do(func(tx *bbolt.Tx) (bool, error) { return true, do(tx) }) })
			synctest.Wait()
		}
		close(release)
		wg.Wait()
		if errs[0] != nil || errs[1] != nil {
			t.Errorf("others failed: %v, %v", errs[0], errs[1])
		}
		if !errors.Is(errs[2], errOwn) || !errors.Is(errs[2], auth.ErrStoreUnavailable) {
			t.Errorf("got %v, want errOwn wrapped with ErrStoreUnavailable", errs[2])
		}
		if !errors.Is(errs[3], auth.ErrStoreUnavailable) || !strings.Contains(errs[3].Error(), "test panic") {
			t.Errorf("got %v, want the panic as an error", errs[3])
		}
		_ = c.DB.View(func(tx *bbolt.Tx) error {
			if b := tx.Bucket(bucket); b.Get([]byte("kept")) == nil || b.Get([]byte("undone")) != nil {
				t.Error("the wrong writes were committed")
			}
			return nil
		})
	})
}

// TestNothingWrittenIsNotCommitted: a transaction that wrote nothing is not committed. Forged
// tokens must not wear out the disk.
func TestNothingWrittenIsNotCommitted(t *testing.T) {
	t.Parallel()
	c := newCommitter(t)
	transaction := func() (id int) {
		_ = c.DB.View(func(tx *bbolt.Tx) error {
			id = tx.ID()
			return nil
		})
		return id
	}
	before := transaction()
	if err := c.Do(func(*bbolt.Tx) (bool, error) { return false, nil }); err != nil || transaction() != before {
		t.Fatalf("%v; transaction %d became %d", err, before, transaction())
	}
}
