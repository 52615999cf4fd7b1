package session_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

func endUser(t *testing.T, store opened, c *clock) {
	one := begin(t, store, alice, c, "k1")
	c.advance(time.Minute)
	two := begin(t, store, alice, c, "k2")
	others := []*auth.Session{begin(t, store, bob, c, "k3"), begin(t, store, otherAlice, c, "k4")}
	must(t, errOf(store.EndUser(t.Context(), alice, c.Now(), time.Time{})))
	for _, s := range []*auth.Session{one, two} {
		wantNoSession(t, store, "ended with the user", s.ID)
		if !store.set.Revoked(bearer(s)) {
			t.Errorf("session %s is not revoked", s.ID)
		}
	}
	for _, s := range others {
		if _, err := store.Session(t.Context(), s.ID); err != nil || store.set.Revoked(bearer(s)) || len(keysOf(t, store, s.User)) != 1 {
			t.Errorf("%v was ended too: %v", s.User, err)
		}
	}
	if keys := keysOf(t, store, alice); len(keys) != 0 {
		t.Errorf("keys %v are left", keys)
	}
	c.advance(time.Millisecond)
	again := begin(t, store, alice, c, "k5")
	if store.set.Revoked(bearer(again)) || !slices.Equal(keysOf(t, store, alice), []string{"k5"}) {
		t.Error("the next session is born revoked, or old keys are back")
	}
}

// A session of a replica whose clock is ahead began after "now", and must end too.
func endUserReaches(t *testing.T, store opened, c *clock) {
	at := c.Now()
	c.advance(2 * time.Second)
	ahead := begin(t, store, alice, c, "k1")
	c.advance(-2 * time.Second)
	must(t, errOf(store.EndUser(t.Context(), alice, at, time.Time{})))
	wantNoSession(t, store, "began ahead", ahead.ID)
	if !store.set.Revoked(bearer(ahead)) {
		t.Fatal("the newest session's tokens are still admitted")
	}
	_, err := store.sweep(t.Context(), ahead.AccessEnd.Add(-time.Second), 10)
	must(t, err)
	if !store.set.Revoked(bearer(ahead)) {
		t.Fatal("forgotten while a token is valid")
	}
}

// EndUser returns how many sessions it ended. Expired sessions, which nobody swept
// yet, do not count, nor do those of other users.
func endUserCounts(t *testing.T, store opened, c *clock) {
	expired := begin(t, store, alice, c, "k1")
	c.advance(expired.End().Sub(c.Now()))
	begin(t, store, alice, c, "k2")
	begin(t, store, alice, c, "k3")
	begin(t, store, bob, c, "k4")
	for _, want := range []int{2, 0} {
		if n, err := store.EndUser(t.Context(), alice, c.Now(), time.Time{}); err != nil || n != want {
			t.Errorf("ended %d sessions (%v), want %d", n, err, want)
		}
	}
}

// Nobody knows all sessions in a world of replicas: the revocation counts for a
// user without one as well.
func endUserOfNobody(t *testing.T, store opened, c *clock) {
	early := sessionOf(alice, c)
	c.advance(time.Second)
	must(t, errOf(store.EndUser(t.Context(), alice, c.Now(), time.Time{})))
	if !store.set.Revoked(bearer(early)) {
		t.Fatal("a session that began before is not revoked")
	}
	var tooEarly *auth.CreatedTooEarlyError
	if err := store.Create(t.Context(), early, auth.SessionKey{}); !errors.As(err, &tooEarly) {
		t.Fatalf("got %v, want CreatedTooEarlyError", err)
	}
}

// A store that was emptied knows no token of the user's; whoever ends the user may.
func endUserOfLostSessions(t *testing.T, store opened, c *clock) {
	lost := sessionOf(alice, c)
	c.advance(time.Second)
	must(t, errOf(store.EndUser(t.Context(), alice, c.Now(), lost.AccessEnd)))
	must(t, errOf(store.EndUser(t.Context(), alice, c.Now(), time.Time{}))) // who knows less takes nothing back
	c.advance(lost.AccessEnd.Sub(c.Now()) - time.Second)
	_, err := store.sweep(t.Context(), c.Now(), 10)
	must(t, err)
	if !store.set.Revoked(bearer(lost)) {
		t.Error("forgotten while a token is valid")
	}
}

func createdTooEarly(t *testing.T, store opened, c *clock) {
	before := sessionOf(alice, c)
	c.advance(time.Second)
	same := sessionOf(alice, c)
	at := c.Now()
	must(t, errOf(store.EndUser(t.Context(), alice, at, time.Time{})))
	for name, s := range map[string]*auth.Session{"before": before, "in the same millisecond": same} {
		var early *auth.CreatedTooEarlyError
		err := store.Create(t.Context(), s, auth.SessionKey{Key: "k1"})
		if !errors.As(err, &early) || early.NotAfter.UnixMilli() != at.UnixMilli() {
			t.Errorf("%s: got %v, want CreatedTooEarlyError at %v", name, err, at)
		}
		wantNoSession(t, store, name, s.ID)
	}
	if keys := keysOf(t, store, alice); len(keys) != 0 {
		t.Errorf("keys %v of sessions that were refused", keys)
	}
	must(t, store.Create(t.Context(), sessionOf(bob, c), auth.SessionKey{}))
	c.advance(time.Millisecond)
	must(t, store.Create(t.Context(), sessionOf(alice, c), auth.SessionKey{}))
	c.advance(4 * time.Minute) // a replica whose clock is as far behind as that
	_, err := store.sweep(t.Context(), c.Now(), 10)
	must(t, err)
	if err := store.Create(t.Context(), before, auth.SessionKey{}); err == nil {
		t.Error("the revocation was forgotten within clock skew")
	}
}

func revocationsGrow(t *testing.T, store opened, c *clock) {
	old := c.Now()
	c.advance(time.Second)
	s := sessionOf(alice, c)
	must(t, errOf(store.EndUser(t.Context(), alice, c.Now(), time.Time{})))
	must(t, errOf(store.EndUser(t.Context(), alice, old, time.Time{}))) // came late
	if !store.set.Revoked(bearer(s)) || store.Create(t.Context(), s, auth.SessionKey{}) == nil {
		t.Fatal("an older revocation took the place of a newer one")
	}
}

func keyOrder(t *testing.T, store opened, c *clock) {
	put := func(name string) {
		must(t, store.PutSessionKey(t.Context(), alice, auth.SessionKey{Key: name, ObtainedAt: c.Now()}))
	}
	want := func(names ...string) {
		t.Helper()
		if got := keysOf(t, store, alice); !slices.Equal(got, names) {
			t.Fatalf("got %v, want %v", got, names)
		}
	}
	put("nobody's") // no session: nothing to open with it
	want()
	begin(t, store, alice, c, "k1")
	begin(t, store, alice, c, "") // a platform without keys
	want("k1")
	begin(t, store, alice, c, "k2")
	want("k2", "k1")
	begin(t, store, alice, c, "k1")
	want("k1", "k2")
	for i := range auth.MaxSessionKeys {
		put("n" + strconv.Itoa(i))
	}
	want("n4", "n3", "n2", "n1", "n0")
	put("n4")
	want("n4", "n3", "n2", "n1", "n0")
	must(t, store.DropSessionKey(t.Context(), alice, auth.SessionKey{Key: "n2"}))
	must(t, store.DropSessionKey(t.Context(), alice, auth.SessionKey{Key: "never there"}))
	must(t, store.DropSessionKey(t.Context(), bob, auth.SessionKey{Key: "n1"}))
	want("n4", "n3", "n1", "n0")
	keys, err := store.SessionKeys(t.Context(), alice)
	must(t, err)
	if !keys[0].ObtainedAt.Equal(c.Now()) {
		t.Fatalf("obtained at %v, want %v", keys[0].ObtainedAt, c.Now())
	}
}

func keysEndWithSession(t *testing.T, store opened, c *clock) {
	one, two := begin(t, store, alice, c, "k1"), begin(t, store, alice, c, "k2")
	end(t, store, one.ID)
	if got := keysOf(t, store, alice); !slices.Equal(got, []string{"k2", "k1"}) {
		t.Fatalf("got %v while a session lives", got)
	}
	end(t, store, two.ID)
	if got := keysOf(t, store, alice); len(got) != 0 {
		t.Fatalf("got %v after the last session", got)
	}
	begin(t, store, alice, c, "k3")
	if got := keysOf(t, store, alice); !slices.Equal(got, []string{"k3"}) {
		t.Fatalf("got %v: keys that were forgotten are back", got)
	}
}

// Swept or not, a user whose sessions are over has no keys.
func keysEndWithTime(t *testing.T, store opened, c *clock) {
	begin(t, store, alice, c, "k1")
	c.advance(idle)
	must(t, store.PutSessionKey(t.Context(), alice, auth.SessionKey{Key: "k2"}))
	if got := keysOf(t, store, alice); len(got) != 0 {
		t.Fatalf("got %v after the last session's time", got)
	}
	begin(t, store, alice, c, "k3")
	if got := keysOf(t, store, alice); !slices.Equal(got, []string{"k3"}) {
		t.Fatalf("got %v: keys that were forgotten are back", got)
	}
}
