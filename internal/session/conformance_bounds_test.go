package session_test

import (
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

func sessionCap(t *testing.T, store opened, c *clock) {
	var all []*auth.Session
	for range session.MaxUserSessions + 2 {
		all = append(all, begin(t, store, alice, c, "k1"))
		c.advance(time.Millisecond)
	}
	for i, s := range all {
		_, err := store.Session(t.Context(), s.ID)
		if ended := i < 2; (err != nil) != ended || store.set.Revoked(bearer(s)) != ended {
			t.Fatalf("session %d of %d: %v, revoked %v", i, len(all), err, store.set.Revoked(bearer(s)))
		}
	}
	if stats := store.stats(); stats.Sessions != session.MaxUserSessions || stats.Users != 1 {
		t.Fatalf("%+v", stats)
	}
}

func sweeps(t *testing.T, store opened, c *clock) {
	const each = 7
	for range each {
		begin(t, store, alice, c, "k1")
		begin(t, store, bob, c, "k2")
	}
	ended := begin(t, store, bob, c, "k3")
	end(t, store, ended.ID)
	must(t, errOf(store.EndUser(t.Context(), otherAlice, c.Now(), time.Time{})))
	must(t, store.RevokeKey(t.Context(), "key9", c.Now().Add(access)))
	if n, err := store.sweep(t.Context(), c.Now(), 3); err != nil || n != 0 {
		t.Fatalf("swept %d of what is not over, %v", n, err)
	}
	if got := store.set.Len(); got.Sessions != 1 || got.Users != 1 || got.Keys != 1 {
		t.Fatalf("%+v", got)
	}
	c.advance(idle)
	if n, err := store.sweep(t.Context(), c.Now(), 3); err != nil || n == 0 {
		t.Fatalf("swept %d, %v", n, err)
	}
	stats := store.stats()
	stats.Bytes = 0
	if stats != (session.Stats{}) {
		t.Fatalf("%+v is left", stats)
	}
	if n, err := store.sweep(t.Context(), c.Now(), 3); err != nil || n != 0 {
		t.Fatalf("swept %d twice, %v", n, err)
	}
}

// A session that was refreshed ends later, and is swept then and not before.
func sweepFollows(t *testing.T, store opened, c *clock) {
	s := begin(t, store, alice, c, "k1")
	c.advance(idle / 2)
	must(t, store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
		s.IdleEnd = c.Now().Add(idle)
		return auth.Save, nil
	}))
	c.advance(idle / 2)
	if n, err := store.sweep(t.Context(), c.Now(), 10); err != nil || n != 0 {
		t.Fatalf("swept %d, %v: the old end counts no more", n, err)
	}
	if _, err := store.Session(t.Context(), s.ID); err != nil || len(keysOf(t, store, alice)) != 1 {
		t.Fatalf("the session is gone: %v", err)
	}
	c.advance(idle / 2)
	if n, err := store.sweep(t.Context(), c.Now(), 10); err != nil || n != 1 || store.stats().Users != 0 {
		t.Fatalf("swept %d, %v, %+v", n, err, store.stats())
	}
}
