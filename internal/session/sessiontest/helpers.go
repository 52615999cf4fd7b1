package sessiontest

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
)

// Clock is a clock that a test advances.
type Clock struct {
	Micros atomic.Int64
	Moved  func(time.Duration) // called with each advance; may be nil
}

// NewClock returns a clock at a fixed time.
func NewClock() *Clock {
	c := &Clock{}
	c.Micros.Store(time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

// Now returns the clock's time.
func (c *Clock) Now() time.Time { return time.UnixMicro(c.Micros.Load()) }

// Advance advances the clock.
func (c *Clock) Advance(d time.Duration) {
	c.Micros.Add(d.Microseconds())
	if c.Moved != nil {
		c.Moved(d)
	}
}

// Store is a store under test.
type Store struct {
	auth.Store
	Set   *session.Set
	Sweep func(ctx context.Context, now time.Time, limit int) (int, error)
	// Count counts the stored sessions one by one, including expired ones. Gauge returns
	// the store's own counts.
	Count func() session.Counts
	Gauge func(context.Context) (n session.Counts, known bool)
}

// The lifetimes of the sessions and tokens of the tests.
const (
	Life   = 24 * time.Hour
	Idle   = 6 * time.Hour
	Access = time.Hour
)

// The users of the tests.
var (
	Alice = auth.User{App: "wx1", OpenID: "alice"}
	Bob   = auth.User{App: "wx1", OpenID: "bob"}
	// A user is the app and the openid together.
	OtherAlice = auth.User{App: "wx2", OpenID: "alice"}
)

// The root secrets of the tests.
var (
	SecretOne = bytes.Repeat([]byte("1"), seal.MinSecretBytes)
	SecretTwo = bytes.Repeat([]byte("2"), seal.MinSecretBytes)
)

// MustBox returns a box with the root secrets.
func MustBox(t testing.TB, secrets ...[]byte) *seal.Box {
	t.Helper()
	box, err := seal.New(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// Must ends the test if err is not nil.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ErrOf returns the error of a call whose other result does not matter.
func ErrOf[T any](_ T, err error) error { return err }

// NewSession returns a session that begins now.
func NewSession(u auth.User, c *Clock) *auth.Session {
	now := c.Now()
	id := auth.NewSessionID(now, u)
	return &auth.Session{
		ID: id, User: u, UnionID: "union",
		CreatedAt: now, AbsoluteEnd: now.Add(Life), IdleEnd: now.Add(Idle), AccessEnd: now.Add(Access),
		Refresh: auth.StartRefresh(auth.NewRefreshToken(id)),
	}
}

// Begin creates a session of a user in the store.
func Begin(t testing.TB, store auth.Store, u auth.User, c *Clock, key string) *auth.Session {
	t.Helper()
	s := NewSession(u, c)
	Must(t, ErrOf(store.Create(t.Context(), s, auth.SessionKey{Key: key, ObtainedAt: c.Now()}, auth.SessionLimit{})))
	return s
}

// End ends a session, as a logout does.
func End(t testing.TB, store auth.Store, id auth.SessionID) {
	t.Helper()
	Must(t, store.Update(t.Context(), id, func(*auth.Session) (auth.Verdict, error) { return auth.End, nil }))
}

// Bearer returns the identity in an access token of a session.
func Bearer(s *auth.Session) *auth.Identity {
	return &auth.Identity{User: s.User, Session: s.ID, Key: "key1", Expires: s.AccessEnd}
}

// KeysOf returns the session keys of a user, newest first.
func KeysOf(t testing.TB, store auth.Store, u auth.User) []string {
	t.Helper()
	keys, err := store.SessionKeys(t.Context(), u)
	Must(t, err)
	names := []string{}
	for _, key := range keys {
		names = append(names, key.Key)
	}
	return names
}
