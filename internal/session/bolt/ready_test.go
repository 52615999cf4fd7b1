package bolt

import (
	"crypto/rand"
	"errors"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/database"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
)

var errOwn = errors.New("failed write")

// TestReadyTriesToWriteAfterAFailure: after a failed write, Ready reports whether writing works
// again.
func TestReadyTriesToWriteAfterAFailure(t *testing.T) {
	t.Parallel()
	f, err := Open(filepath.Join(t.TempDir(), "r.db"), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := f.commits.Do(func(*bbolt.Tx) (bool, error) { return true, errOwn }); err == nil || !f.commits.Failed.Load() {
		t.Fatalf("%v, failed %v", err, f.commits.Failed.Load())
	}
	if err := f.Ready(t.Context()); err != nil || f.commits.Failed.Load() {
		t.Fatalf("%v, failed %v", err, f.commits.Failed.Load())
	}
}

// TestNotReadyWhereNoLoginFits: a file that cannot grow may have room for a small write but not
// for a login. Then it is not ready, however often Ready is called.
func TestNotReadyWhereNoLoginFits(t *testing.T) {
	t.Parallel()
	f, err := Open(filepath.Join(t.TempDir(), "full.db"), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	f.db.MaxSize = 256 << 10 // simulates a full disk
	login := func() error {
		return f.commits.Do(func(tx *bbolt.Tx) (bool, error) {
			for _, bucket := range [][]byte{layout.Sessions, layout.Users, layout.RecentA, layout.Ends} {
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
		return f.commits.Do(func(tx *bbolt.Tx) (bool, error) {
			return true, tx.Bucket(layout.Revocations).Put([]byte("s"), nil)
		})
	}
	for i := range 3 {
		if err := f.Ready(t.Context()); !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Fatalf("Ready returned %v after %d logouts, a login %v", err, i, login())
		}
		if err := logout(); err != nil {
			t.Fatalf("there must be room for a logout: %v", err)
		}
	}
	f.db.MaxSize = database.MaxBytes
	for range 3 {
		if err := f.Ready(t.Context()); err != nil {
			t.Fatalf("with room again: %v", err)
		}
		if err := login(); err != nil {
			t.Fatalf("with room again: %v", err)
		}
	}
}
