package bolt

import (
	"bytes"
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
)

var benchSessions = flag.Int("wxgate.sessions", 10_000, "sessions in the file of BenchmarkOpen")

// BenchmarkOpen opens a file of many sessions, each of a different user, as a gateway does when
// it starts.
func BenchmarkOpen(b *testing.B) {
	box, err := seal.New(bytes.Repeat([]byte("1"), seal.MinSecretBytes))
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "sessions.db")
	fillFile(b, path, box, *benchSessions)
	open := func() {
		file, err := Open(path, session.Options{})
		if err == nil {
			_, err = file.Store(box, time.Now)
		}
		if err == nil {
			err = file.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		open()
	}
}

// fillFile creates n sessions, many in one transaction.
func fillFile(b testing.TB, path string, box *seal.Box, n int) {
	b.Helper()
	const each = 20_000
	file, err := Open(path, session.Options{})
	if err != nil {
		b.Fatal(err)
	}
	file.db.NoSync = true
	store, err := file.Store(box, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	create := func(c *change, i int) error {
		u := auth.User{App: "wx4f4bc4dec97d474b", OpenID: auth.OpenID(fmt.Sprintf("o%027d", i))}
		s := &auth.Session{
			ID: auth.NewSessionID(now, u), User: u, CreatedAt: now,
			AbsoluteEnd: now.Add(24 * time.Hour), IdleEnd: now.Add(24 * time.Hour), AccessEnd: now.Add(time.Hour),
		}
		_, err := c.create(c.vault.HashUser(u), s, auth.SessionKey{Key: "tiihtNczf5v6AKRyjwEUhQ==", ObtainedAt: now}, auth.SessionLimit{})
		return err
	}
	for from := 0; from < n; from += each {
		err := file.commits.Do(func(tx *bbolt.Tx) (bool, error) {
			c := &change{tx: tx, file: file, recent: file.recent.View(), vault: store.vault, now: now}
			for i := from; i < min(from+each, n); i++ {
				if err := create(c, i); err != nil {
					return false, err
				}
			}
			return true, nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
}
