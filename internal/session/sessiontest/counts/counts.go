// Package counts has the tests of the counts of sessions and users, for every store.
package counts

import (
	"errors"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// Conform runs the tests of the counts on a store.
func Conform(t *testing.T, open func(testing.TB, *sessiontest.Clock) sessiontest.Store) {
	t.Parallel()
	sessiontest.Run(t, open, map[string]sessiontest.Case{
		"a user counts once":       countsOnce,
		"until the last logout":    untilLastLogout,
		"until the last expiry":    untilLastExpires,
		"a refresh keeps counting": refreshCountsOn,
		"a short session":          shortSession,
		"a replaced session":       replaced,
		"log out everywhere":       endedUser,
		"erased":                   erased,
		"random operations":        func(t *testing.T, s sessiontest.Store, c *sessiontest.Clock) { Random(t, c, s) },
		"logins at once":           concurrently,
	})
}

// want compares the counts of a store with the expected ones.
func want(t testing.TB, store sessiontest.Store, sessions, users int) {
	t.Helper()
	want := session.Counts{Sessions: sessions, Users: users}
	if got, known := store.Gauge(t.Context()); !known || got != want {
		t.Fatalf("the store counts %+v, known %v; want %+v", got, known, want)
	}
}

// sweep removes expired sessions, which a store may count until then.
func sweep(t testing.TB, store sessiontest.Store, c *sessiontest.Clock) {
	t.Helper()
	sessiontest.Must(t, sessiontest.ErrOf(store.Sweep(t.Context(), c.Now(), 100)))
}

func countsOnce(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	want(t, store, 0, 0)
	sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	want(t, store, 1, 1)
	c.Advance(time.Second)
	sessiontest.Begin(t, store, sessiontest.Alice, c, "k2")
	want(t, store, 2, 1)
	// The same openid at another app is another user.
	sessiontest.Begin(t, store, sessiontest.OtherAlice, c, "k3")
	want(t, store, 3, 2)
}

func untilLastLogout(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	first := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	c.Advance(time.Second)
	second := sessiontest.Begin(t, store, sessiontest.Alice, c, "k2")
	sessiontest.End(t, store, first.ID)
	want(t, store, 1, 1)
	sessiontest.End(t, store, second.ID)
	want(t, store, 0, 0)
	sessiontest.Begin(t, store, sessiontest.Alice, c, "k3")
	want(t, store, 1, 1)
}

// untilLastExpires ends the session that would have expired last: its user counts until the
// other session expires, and no longer.
func untilLastExpires(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	c.Advance(sessiontest.Idle / 2)
	sessiontest.End(t, store, sessiontest.Begin(t, store, sessiontest.Alice, c, "k2").ID)
	want(t, store, 1, 1)
	c.Advance(sessiontest.Idle/2 - time.Second)
	sweep(t, store, c)
	want(t, store, 1, 1)
	c.Advance(time.Second)
	sweep(t, store, c)
	want(t, store, 0, 0)
}

func refreshCountsOn(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	s := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	sessiontest.Begin(t, store, sessiontest.Bob, c, "k2")
	c.Advance(sessiontest.Idle / 2)
	refresh(t, store, c, s.ID)
	want(t, store, 2, 2)
	c.Advance(sessiontest.Idle / 2)
	sweep(t, store, c)
	want(t, store, 1, 1)
}

// shortSession refreshes a session that ends before another one of the user: the user counts
// until the other one ends.
func shortSession(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	short := sessiontest.NewSession(sessiontest.Alice, c)
	short.AbsoluteEnd = c.Now().Add(time.Hour)
	sessiontest.Must(t, sessiontest.ErrOf(store.Create(t.Context(), short, auth.SessionKey{}, auth.SessionLimit{})))
	refresh(t, store, c, short.ID)
	want(t, store, 2, 1)
	c.Advance(time.Hour)
	sweep(t, store, c)
	want(t, store, 1, 1)
}

// refresh puts off the end of a session.
func refresh(t testing.TB, store sessiontest.Store, c *sessiontest.Clock, id auth.SessionID) {
	t.Helper()
	sessiontest.Must(t, store.Update(t.Context(), id, func(s *auth.Session) (auth.Verdict, error) {
		s.IdleEnd = c.Now().Add(sessiontest.Idle)
		return auth.Save, nil
	}))
}

// replaced logs in until each login ends the previous session: with a limit of one, with one
// for each class of devices, and with the default limit.
func replaced(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	login := func(device auth.Device, limit auth.SessionLimit) {
		s := sessiontest.NewSession(sessiontest.Alice, c)
		s.Device = device
		sessiontest.Must(t, sessiontest.ErrOf(store.Create(t.Context(), s, auth.SessionKey{Key: "k1"}, limit)))
		c.Advance(time.Millisecond)
	}
	for range 3 {
		login(auth.DeviceOther, auth.SessionLimit{Sessions: 1})
		want(t, store, 1, 1)
	}
	each := auth.SessionLimit{Sessions: 1, PerDevice: true}
	for range 2 {
		login(auth.DeviceIOS, each)
		want(t, store, 2, 1)
	}
	for range auth.MaxUserSessions {
		login(auth.DeviceOther, auth.SessionLimit{})
	}
	want(t, store, auth.MaxUserSessions, 1)
}

func endedUser(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	sessiontest.Begin(t, store, sessiontest.Alice, c, "k2")
	sessiontest.Begin(t, store, sessiontest.Bob, c, "k3")
	for range 2 { // the second call ends nothing
		sessiontest.Must(t, sessiontest.ErrOf(store.EndUser(t.Context(), sessiontest.Alice, c.Now(), time.Time{})))
		want(t, store, 1, 1)
	}
}

func erased(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	sessiontest.Begin(t, store, sessiontest.Alice, c, "k2")
	sessiontest.Begin(t, store, sessiontest.Bob, c, "k3")
	for range 2 {
		sessiontest.Must(t, sessiontest.ErrOf(store.Erase(t.Context(), sessiontest.Alice, c.Now(), time.Time{})))
		want(t, store, 1, 1)
	}
}

// concurrently logs in and out many times at once.
func concurrently(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	users := []auth.User{sessiontest.Alice, sessiontest.Bob, sessiontest.OtherAlice}
	sessiontest.Together(sessiontest.AtOnce, func(i int) {
		s := sessiontest.NewSession(users[i%len(users)], c)
		if err := sessiontest.ErrOf(store.Create(t.Context(), s, auth.SessionKey{Key: "k"}, auth.SessionLimit{Sessions: 4})); err != nil {
			t.Error(err)
		}
		err := store.Update(t.Context(), s.ID, func(*auth.Session) (auth.Verdict, error) {
			if i%3 == 0 { // every session of one of the users
				return auth.End, nil
			}
			return auth.Save, nil
		})
		if err != nil && !errors.Is(err, auth.ErrNoSession) { // another login replaced it
			t.Error(err)
		}
	})
	compare(t, c, store)
}
