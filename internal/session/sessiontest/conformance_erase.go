package sessiontest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// erase: Erase ends the user, and returns what it deleted.
func erase(t *testing.T, store Store, c *Clock) {
	one := Begin(t, store, Alice, c, "k1")
	c.Advance(time.Minute)
	two := Begin(t, store, Alice, c, "k2")
	others := []*auth.Session{Begin(t, store, Bob, c, "k3"), Begin(t, store, OtherAlice, c, "k4")}
	got, err := store.Erase(t.Context(), Alice, c.Now(), time.Time{})
	Must(t, err)
	if got.Sessions != 2 || got.SessionKeys != 2 || got.Attempts || got.RevokedUntil.Before(two.AccessEnd) {
		t.Errorf("Erase returned %+v", got)
	}
	for _, s := range []*auth.Session{one, two} {
		WantNoSession(t, store, "erased with the user", s.ID)
		if !store.Set.Revoked(Bearer(s)) {
			t.Errorf("session %s is not revoked", s.ID)
		}
		var early *auth.CreatedTooEarlyError
		if err := ErrOf(store.Create(t.Context(), s, auth.SessionKey{}, auth.SessionLimit{})); !errors.As(err, &early) || early.NotAfter.UnixMilli() != c.Now().UnixMilli() {
			t.Errorf("the session is created again: %v", err)
		}
	}
	for _, s := range others {
		if _, err := store.Session(t.Context(), s.ID); err != nil || store.Set.Revoked(Bearer(s)) || len(KeysOf(t, store, s.User)) != 1 {
			t.Errorf("%v was erased too: %v", s.User, err)
		}
	}
	if keys := KeysOf(t, store, Alice); len(keys) != 0 {
		t.Errorf("keys %v are left", keys)
	}
	if counts := store.Count(); counts.Sessions != 2 || counts.Users != 2 {
		t.Errorf("%+v is left", counts)
	}
	c.Advance(time.Millisecond)
	again := Begin(t, store, Alice, c, "k5")
	if store.Set.Revoked(Bearer(again)) || !slices.Equal(KeysOf(t, store, Alice), []string{"k5"}) {
		t.Error("the next session is revoked, or old keys are back")
	}
}

// eraseUnknown: erasing a user who is unknown or already erased is not an error. It still revokes
// tokens whose session the store has lost.
func eraseUnknown(t *testing.T, store Store, c *Clock) {
	lost := NewSession(Alice, c)
	c.Advance(time.Second)
	for range 2 {
		got, err := store.Erase(t.Context(), Alice, c.Now(), lost.AccessEnd)
		Must(t, err)
		if got.Sessions != 0 || got.SessionKeys != 0 || got.Attempts || got.RevokedUntil.Before(lost.AccessEnd) {
			t.Errorf("Erase returned %+v", got)
		}
	}
	Must(t, ErrOf(store.EndUser(t.Context(), Alice, c.Now(), time.Time{}))) // an earlier until does not shorten the revocation
	c.Advance(lost.AccessEnd.Sub(c.Now()) - time.Second)
	_, err := store.Sweep(t.Context(), c.Now(), 10)
	Must(t, err)
	if !store.Set.Revoked(Bearer(lost)) {
		t.Error("forgotten while a token is valid")
	}
	c.Advance(10 * time.Minute)
	_, err = store.Sweep(t.Context(), c.Now(), 10)
	Must(t, err)
	if store.Set.Revoked(Bearer(lost)) || store.Set.Len() != 0 {
		t.Errorf("%d revocations are kept after the last token has expired", store.Set.Len())
	}
}

// eraseRevoked: an erasure extends an earlier revocation of the user. A later revocation is of the
// user by name, who logged in again.
func eraseRevoked(t *testing.T, store Store, c *Clock) {
	lost := NewSession(Alice, c)
	Must(t, ErrOf(store.EndUser(t.Context(), Alice, c.Now(), lost.AccessEnd)))
	got, err := store.Erase(t.Context(), Alice, c.Now().Add(-time.Minute), time.Time{})
	Must(t, err)
	if !store.Set.Revoked(Bearer(lost)) || got.RevokedUntil.Before(lost.AccessEnd) || store.Set.Len() != 1 {
		t.Errorf("Erase returned %+v, and there are %d revocations", got, store.Set.Len())
	}
	c.Advance(time.Minute)
	again := Begin(t, store, Alice, c, "k1")
	Must(t, ErrOf(store.EndUser(t.Context(), Alice, c.Now(), time.Time{})))
	if !store.Set.Revoked(Bearer(again)) || !store.Set.Revoked(Bearer(lost)) {
		t.Error("a session of the user who logged in again is not revoked")
	}
	Must(t, eraseOf(store.Erase(t.Context(), Alice, c.Now(), time.Time{})))
	if !store.Set.Revoked(Bearer(again)) || store.Set.Len() != 1 {
		t.Errorf("%d revocations after the second erasure", store.Set.Len())
	}
}

// eraseKeepsAttempts: an erasure does not reset the attempts to decrypt open data.
func eraseKeepsAttempts(t *testing.T, store Store, c *Clock) {
	count := func(a *auth.Attempts) { a.DayEnds, a.Failed = c.Now().Add(time.Hour), a.Failed+1 }
	Begin(t, store, Alice, c, "k1")
	for want := 1; want <= 3; want++ {
		Must(t, store.UpdateAttempts(t.Context(), Alice, count))
		for range 2 {
			if got, err := store.Erase(t.Context(), Alice, c.Now(), time.Time{}); err != nil || !got.Attempts {
				t.Errorf("Erase returned %+v, %v", got, err)
			}
		}
		if got := AttemptsOf(t, store, Alice); got.Failed != want {
			t.Errorf("%d failures are left, want %d", got.Failed, want)
		}
	}
	Must(t, eraseOf(store.Erase(t.Context(), Alice, c.Now(), time.Time{})))
	if got := AttemptsOf(t, store, OtherAlice); !got.Empty() {
		t.Errorf("another app's user has %+v", got)
	}
	c.Advance(2 * time.Hour)
	_, err := store.Sweep(t.Context(), c.Now(), 10)
	Must(t, err)
	if got := AttemptsOf(t, store, Alice); !got.Empty() {
		t.Errorf("after their end: %+v", got)
	}
}

// eraseEndsStreams: open responses of an erased user end; later ones do not.
func eraseEndsStreams(t *testing.T, store Store, c *Clock) {
	s, other := Begin(t, store, Alice, c, "k1"), Begin(t, store, Bob, c, "k2")
	ended := map[auth.User]int{}
	for _, s := range []*auth.Session{s, other} {
		t.Cleanup(store.Set.Watch(Bearer(s), func() { ended[s.User]++ }))
	}
	Must(t, eraseOf(store.Erase(t.Context(), Alice, c.Now(), time.Time{})))
	if ended[Alice] != 1 || ended[Bob] != 0 || store.Set.Watches() != 1 {
		t.Errorf("ended %v, and %d are open", ended, store.Set.Watches())
	}
}

func eraseOf(_ auth.Erased, err error) error { return err }
