package session_test

import (
	"bytes"
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
)

// clock is time that stands still until a test moves it.
type clock struct {
	us    atomic.Int64
	moved func(time.Duration) // told of each move; may be nil
}

func newClock() *clock {
	c := &clock{}
	c.us.Store(time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) Now() time.Time { return time.UnixMicro(c.us.Load()) }

func (c *clock) advance(d time.Duration) {
	c.us.Add(d.Microseconds())
	if c.moved != nil {
		c.moved(d)
	}
}

// opened is a store under test, whatever it keeps things in.
type opened struct {
	auth.Store
	set   *session.Set
	sweep func(ctx context.Context, now time.Time, limit int) (int, error)
	stats func() session.Stats
}

const (
	life   = 24 * time.Hour
	idle   = 6 * time.Hour
	access = time.Hour
)

var (
	alice = auth.User{App: "wx1", OpenID: "alice"}
	bob   = auth.User{App: "wx1", OpenID: "bob"}
	// A user is the app and the openid together.
	otherAlice = auth.User{App: "wx2", OpenID: "alice"}
)

var (
	secretOne = bytes.Repeat([]byte("1"), seal.MinSecretBytes)
	secretTwo = bytes.Repeat([]byte("2"), seal.MinSecretBytes)
)

func mustBox(t testing.TB, secrets ...[]byte) *seal.Box {
	t.Helper()
	box, err := seal.New(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// errOf is the error of a call whose other result does not matter.
func errOf(_ int, err error) error { return err }

func openMemory(_ testing.TB, c *clock) opened {
	m := session.NewMemory(c.Now, session.Options{Now: c.Now})
	return opened{Store: m, set: m.Revocations(), sweep: m.Sweep, stats: m.Stats}
}

func openBolt(t testing.TB, c *clock) opened {
	t.Helper()
	return openBoltAt(t, filepath.Join(t.TempDir(), "sessions.db"), c, mustBox(t, secretOne))
}

// openBoltAt opens a file that the test closes, at its end or earlier.
func openBoltAt(t testing.TB, path string, c *clock, box *seal.Box) opened {
	t.Helper()
	file := mustOpenFile(t, path, c)
	return over(t, file, c, box)
}

func mustOpenFile(t testing.TB, path string, c *clock) *session.File {
	t.Helper()
	file, err := session.OpenFile(path, session.Options{Now: c.Now})
	must(t, err)
	t.Cleanup(func() { must(t, file.Close()) })
	return file
}

func over(t testing.TB, file *session.File, c *clock, box *seal.Box) opened {
	t.Helper()
	store, err := file.Store(box, c.Now)
	must(t, err)
	return opened{Store: store, set: file.Revocations(), sweep: file.Sweep, stats: file.Stats}
}

// sessionOf is a session that begins now.
func sessionOf(u auth.User, c *clock) *auth.Session {
	now := c.Now()
	id := auth.NewSessionID(now, u)
	return &auth.Session{
		ID: id, User: u, UnionID: "union",
		CreatedAt: now, AbsoluteEnd: now.Add(life), IdleEnd: now.Add(idle), AccessEnd: now.Add(access),
		Refresh: auth.StartRefresh(auth.NewRefreshToken(id)),
	}
}

// begin creates a session of a user in the store.
func begin(t testing.TB, store auth.Store, u auth.User, c *clock, key string) *auth.Session {
	t.Helper()
	s := sessionOf(u, c)
	must(t, store.Create(t.Context(), s, auth.SessionKey{Key: key, ObtainedAt: c.Now()}))
	return s
}

func end(t testing.TB, store auth.Store, id auth.SessionID) {
	t.Helper()
	must(t, store.Update(t.Context(), id, func(*auth.Session) (auth.Verdict, error) { return auth.End, nil }))
}

// bearer is who an access token of a session says it is.
func bearer(s *auth.Session) *auth.Identity {
	return &auth.Identity{User: s.User, Session: s.ID, Key: "key1", Expires: s.AccessEnd}
}

func keysOf(t testing.TB, store auth.Store, u auth.User) []string {
	t.Helper()
	keys, err := store.SessionKeys(t.Context(), u)
	must(t, err)
	names := []string{}
	for _, key := range keys {
		names = append(names, key.Key)
	}
	return names
}
