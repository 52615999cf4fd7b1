package sessiontest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

func endUser(t *testing.T, store Store, c *Clock) {
	one := Begin(t, store, Alice, c, "k1")
	c.Advance(time.Minute)
	two := Begin(t, store, Alice, c, "k2")
	others := []*auth.Session{Begin(t, store, Bob, c, "k3"), Begin(t, store, OtherAlice, c, "k4")}
	Must(t, ErrOf(store.EndUser(t.Context(), Alice, c.Now(), time.Time{})))
	for _, s := range []*auth.Session{one, two} {
		WantNoSession(t, store, "ended with the user", s.ID)
		if !store.Set.Revoked(Bearer(s)) {
			t.Errorf("session %s is not revoked", s.ID)
		}
	}
	for _, s := range others {
		if _, err := store.Session(t.Context(), s.ID); err != nil || store.Set.Revoked(Bearer(s)) || len(KeysOf(t, store, s.User)) != 1 {
			t.Errorf("%v was ended too: %v", s.User, err)
		}
	}
	if keys := KeysOf(t, store, Alice); len(keys) != 0 {
		t.Errorf("keys %v are left", keys)
	}
	c.Advance(time.Millisecond)
	again := Begin(t, store, Alice, c, "k5")
	if store.Set.Revoked(Bearer(again)) || !slices.Equal(KeysOf(t, store, Alice), []string{"k5"}) {
		t.Error("the next session is revoked, or old keys are back")
	}
}

// endUserReaches: a session created by a replica whose clock is ahead began after "now", and must
// end too.
func endUserReaches(t *testing.T, store Store, c *Clock) {
	at := c.Now()
	c.Advance(2 * time.Second)
	ahead := Begin(t, store, Alice, c, "k1")
	c.Advance(-2 * time.Second)
	Must(t, ErrOf(store.EndUser(t.Context(), Alice, at, time.Time{})))
	WantNoSession(t, store, "began ahead", ahead.ID)
	if !store.Set.Revoked(Bearer(ahead)) {
		t.Fatal("the newest session's tokens are still admitted")
	}
	_, err := store.Sweep(t.Context(), ahead.AccessEnd.Add(-time.Second), 10)
	Must(t, err)
	if !store.Set.Revoked(Bearer(ahead)) {
		t.Fatal("forgotten while a token is valid")
	}
}

// endUserCounts: EndUser returns how many sessions it ended. Expired sessions that were not swept
// yet do not count, nor do those of other users.
func endUserCounts(t *testing.T, store Store, c *Clock) {
	expired := Begin(t, store, Alice, c, "k1")
	c.Advance(expired.End().Sub(c.Now()))
	Begin(t, store, Alice, c, "k2")
	Begin(t, store, Alice, c, "k3")
	Begin(t, store, Bob, c, "k4")
	for _, want := range []int{2, 0} {
		if n, err := store.EndUser(t.Context(), Alice, c.Now(), time.Time{}); err != nil || n != want {
			t.Errorf("ended %d sessions (%v), want %d", n, err, want)
		}
	}
}

// endUserWithoutSessions: with several replicas, a store may not know all sessions of a user. A
// user without a session is revoked as well.
func endUserWithoutSessions(t *testing.T, store Store, c *Clock) {
	early := NewSession(Alice, c)
	c.Advance(time.Second)
	Must(t, ErrOf(store.EndUser(t.Context(), Alice, c.Now(), time.Time{})))
	if !store.Set.Revoked(Bearer(early)) {
		t.Fatal("a session that began before is not revoked")
	}
	var tooEarly *auth.CreatedTooEarlyError
	if err := ErrOf(store.Create(t.Context(), early, auth.SessionKey{}, auth.SessionLimit{})); !errors.As(err, &tooEarly) {
		t.Fatalf("got %v, want CreatedTooEarlyError", err)
	}
}

// endUserOfLostSessions: a store that lost its data does not know when the user's tokens expire:
// the caller does.
func endUserOfLostSessions(t *testing.T, store Store, c *Clock) {
	lost := NewSession(Alice, c)
	c.Advance(time.Second)
	Must(t, ErrOf(store.EndUser(t.Context(), Alice, c.Now(), lost.AccessEnd)))
	Must(t, ErrOf(store.EndUser(t.Context(), Alice, c.Now(), time.Time{}))) // an earlier until does not shorten the revocation
	c.Advance(lost.AccessEnd.Sub(c.Now()) - time.Second)
	_, err := store.Sweep(t.Context(), c.Now(), 10)
	Must(t, err)
	if !store.Set.Revoked(Bearer(lost)) {
		t.Error("forgotten while a token is valid")
	}
}

func createdTooEarly(t *testing.T, store Store, c *Clock) {
	before := NewSession(Alice, c)
	c.Advance(time.Second)
	same := NewSession(Alice, c)
	at := c.Now()
	Must(t, ErrOf(store.EndUser(t.Context(), Alice, at, time.Time{})))
	for name, s := range map[string]*auth.Session{"before": before, "in the same millisecond": same} {
		var early *auth.CreatedTooEarlyError
		err := ErrOf(store.Create(t.Context(), s, auth.SessionKey{Key: "k1"}, auth.SessionLimit{}))
		if !errors.As(err, &early) || early.NotAfter.UnixMilli() != at.UnixMilli() {
			t.Errorf("%s: got %v, want CreatedTooEarlyError at %v", name, err, at)
		}
		WantNoSession(t, store, name, s.ID)
	}
	if keys := KeysOf(t, store, Alice); len(keys) != 0 {
		t.Errorf("keys %v of refused sessions", keys)
	}
	Must(t, ErrOf(store.Create(t.Context(), NewSession(Bob, c), auth.SessionKey{}, auth.SessionLimit{})))
	c.Advance(time.Millisecond)
	Must(t, ErrOf(store.Create(t.Context(), NewSession(Alice, c), auth.SessionKey{}, auth.SessionLimit{})))
	c.Advance(4 * time.Minute) // a replica's clock may be that far behind
	_, err := store.Sweep(t.Context(), c.Now(), 10)
	Must(t, err)
	if err := ErrOf(store.Create(t.Context(), before, auth.SessionKey{}, auth.SessionLimit{})); err == nil {
		t.Error("the revocation was forgotten within clock skew")
	}
}

func revocationsGrow(t *testing.T, store Store, c *Clock) {
	old := c.Now()
	c.Advance(time.Second)
	s := NewSession(Alice, c)
	Must(t, ErrOf(store.EndUser(t.Context(), Alice, c.Now(), time.Time{})))
	Must(t, ErrOf(store.EndUser(t.Context(), Alice, old, time.Time{}))) // arrived late
	if !store.Set.Revoked(Bearer(s)) || ErrOf(store.Create(t.Context(), s, auth.SessionKey{}, auth.SessionLimit{})) == nil {
		t.Fatal("an older revocation replaced a newer one")
	}
}

func keyOrder(t *testing.T, store Store, c *Clock) {
	put := func(names ...string) {
		for _, name := range names {
			Must(t, store.PutSessionKey(t.Context(), Alice, auth.SessionKey{Key: name, ObtainedAt: c.Now()}))
		}
	}
	want := func(names ...string) {
		t.Helper()
		if got := KeysOf(t, store, Alice); !slices.Equal(got, names) {
			t.Fatalf("got %v, want %v", got, names)
		}
	}
	put("unused") // without a session, the key could open no data
	want()
	Begin(t, store, Alice, c, "k1")
	Begin(t, store, Alice, c, "") // a platform without keys, or a web page
	put("")
	want("k1")
	Begin(t, store, Alice, c, "k2")
	want("k2", "k1")
	Begin(t, store, Alice, c, "k1")
	want("k1", "k2")
	put("n0", "n1", "n2", "n3", "n4")
	want("n4", "n3", "n2", "n1", "n0")
	put("n4")
	want("n4", "n3", "n2", "n1", "n0")
	Must(t, store.DropSessionKey(t.Context(), Alice, auth.SessionKey{Key: "n2"}))
	Must(t, store.DropSessionKey(t.Context(), Alice, auth.SessionKey{Key: "never stored"}))
	Must(t, store.DropSessionKey(t.Context(), Bob, auth.SessionKey{Key: "n1"}))
	want("n4", "n3", "n1", "n0")
	keys, err := store.SessionKeys(t.Context(), Alice)
	Must(t, err)
	if !keys[0].ObtainedAt.Equal(c.Now()) {
		t.Fatalf("obtained at %v, want %v", keys[0].ObtainedAt, c.Now())
	}
}

func keysEndWithSession(t *testing.T, store Store, c *Clock) {
	one, two := Begin(t, store, Alice, c, "k1"), Begin(t, store, Alice, c, "k2")
	End(t, store, one.ID)
	if got := KeysOf(t, store, Alice); !slices.Equal(got, []string{"k2", "k1"}) {
		t.Fatalf("got %v while a session lives", got)
	}
	End(t, store, two.ID)
	if got := KeysOf(t, store, Alice); len(got) != 0 {
		t.Fatalf("got %v after the last session", got)
	}
	Begin(t, store, Alice, c, "k3")
	if got := KeysOf(t, store, Alice); !slices.Equal(got, []string{"k3"}) {
		t.Fatalf("got %v: forgotten keys are back", got)
	}
}

// keysEndWithTime: swept or not, a user whose sessions have expired has no keys.
func keysEndWithTime(t *testing.T, store Store, c *Clock) {
	Begin(t, store, Alice, c, "k1")
	c.Advance(Idle)
	Must(t, store.PutSessionKey(t.Context(), Alice, auth.SessionKey{Key: "k2"}))
	if got := KeysOf(t, store, Alice); len(got) != 0 {
		t.Fatalf("got %v after the last session expired", got)
	}
	Begin(t, store, Alice, c, "k3")
	if got := KeysOf(t, store, Alice); !slices.Equal(got, []string{"k3"}) {
		t.Fatalf("got %v: forgotten keys are back", got)
	}
}
