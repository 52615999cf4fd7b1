package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// A full memory store ends the session that would end first by itself, and takes
// the new one: a flood of logins must neither fill the machine nor stop logins.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	c := newClock()
	store := session.NewMemory(c.Now, session.Options{})
	store.SetMax(3)
	first := begin(t, store, alice, c, "k1")
	c.advance(time.Minute)
	second := begin(t, store, bob, c, "k2")
	c.advance(time.Minute)
	begin(t, store, otherAlice, c, "k3")
	must(t, store.Update(t.Context(), first.ID, func(s *auth.Session) (auth.Verdict, error) {
		s.IdleEnd = c.Now().Add(idle)
		return auth.Save, nil
	}))
	c.advance(time.Minute)
	begin(t, store, alice, c, "k4")
	if _, err := store.Session(t.Context(), second.ID); !errors.Is(err, auth.ErrNoSession) || !store.Revocations().Revoked(bearer(second)) {
		t.Errorf("the one that ends first: %v", err)
	}
	if _, err := store.Session(t.Context(), first.ID); err != nil {
		t.Errorf("the one that was refreshed: %v", err)
	}
	if keys := keysOf(t, store, bob); len(keys) != 0 || store.Stats().Sessions != 3 {
		t.Errorf("bob's keys %v, %+v", keys, store.Stats())
	}
	must(t, store.Ready(t.Context()))
}
