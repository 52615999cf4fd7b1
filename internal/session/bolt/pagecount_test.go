package bolt

import (
	"bytes"
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
)

// TestPagesOfACommit counts the pages that logins and refreshes write among many sessions. A
// random key would cost each of them a leaf and a branch, and each page must be copied, written
// and synced.
func TestPagesOfACommit(t *testing.T) {
	t.Parallel()
	box, err := seal.New(bytes.Repeat([]byte("1"), seal.MinSecretBytes))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sessions.db")
	fillFile(t, path, box, 20_000)
	file, err := Open(path, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	file.db.NoSync = true
	file.recent.Limit = 1000
	store, err := file.Store(box, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	var ids []auth.SessionID
	login := func(c *change) error {
		u := auth.User{App: "wx4f4bc4dec97d474b", OpenID: auth.OpenID(rand.Text())}
		s := &auth.Session{
			ID: auth.NewSessionID(c.now, u), User: u, UnionID: auth.UnionID(rand.Text()), CreatedAt: c.now,
			AbsoluteEnd: c.now.Add(time.Hour), IdleEnd: c.now.Add(time.Hour), AccessEnd: c.now.Add(time.Hour),
		}
		ids = append(ids, s.ID)
		_, err := c.create(c.vault.HashUser(u), s, auth.SessionKey{Key: "tiihtNczf5v6AKRyjwEUhQ==", ObtainedAt: c.now}, auth.SessionLimit{})
		return err
	}
	refresh := func(c *change) error {
		s, err := c.session(ids[0])
		if err != nil {
			return err
		}
		id, _ := layout.SessionKey(s.ID)
		s.IdleEnd, s.Refresh.Successor = s.IdleEnd.Add(time.Minute), make([]byte, 48)
		return c.saveSession(id, s)
	}
	// commit returns how many pages a commit of n changes wrote.
	commit := func(n int, do func(*change) error) int64 {
		t.Helper()
		var tx *bbolt.Tx
		err := file.commits.Do(func(under *bbolt.Tx) (bool, error) {
			tx = under
			c := &change{tx: tx, file: file, recent: file.recent.View(), vault: store.vault, now: time.Now()}
			for range n {
				if err := do(c); err != nil {
					return false, err
				}
			}
			return true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		stats := tx.Stats()
		return stats.GetWrite()
	}
	const group = 64
	total := int64(0)
	const commits = 50 // three merges
	for range commits {
		total += commit(group, login)
	}
	// A random key for each login would be 64 leaves in each commit.
	if each := total / commits; each > 48 {
		t.Errorf("a commit of %d logins wrote %d pages", group, each)
	}
	// The leaf of the session and its branches, the root, the free pages and the metadata.
	if n := commit(1, refresh); n > 6 {
		t.Errorf("a refresh wrote %d pages", n)
	} else {
		t.Logf("%d logins: %d pages; a refresh: %d", group, total/commits, n)
	}
}
