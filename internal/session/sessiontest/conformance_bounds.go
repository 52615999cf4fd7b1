package sessiontest

import (
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

func sweeps(t *testing.T, store Store, c *Clock) {
	const each = 7
	for range each {
		Begin(t, store, Alice, c, "k1")
		Begin(t, store, Bob, c, "k2")
	}
	ended := Begin(t, store, Bob, c, "k3")
	End(t, store, ended.ID)
	Must(t, ErrOf(store.EndUser(t.Context(), OtherAlice, c.Now(), time.Time{})))
	Must(t, store.RevokeKey(t.Context(), "key9", c.Now().Add(Access)))
	if n, err := store.Sweep(t.Context(), c.Now(), 3); err != nil || n != 0 {
		t.Fatalf("swept %d entries that have not expired, %v", n, err)
	}
	if got := store.Set.Len(); got != 3 { // a session, a user and a key
		t.Fatalf("%d revocations", got)
	}
	c.Advance(Idle)
	if n, err := store.Sweep(t.Context(), c.Now(), 3); err != nil || n == 0 {
		t.Fatalf("swept %d, %v", n, err)
	}
	if got := store.Count(); got != (session.Counts{}) || store.Set.Len() != 0 {
		t.Fatalf("%+v and %d revocations are left", got, store.Set.Len())
	}
	if n, err := store.Sweep(t.Context(), c.Now(), 3); err != nil || n != 0 {
		t.Fatalf("swept %d twice, %v", n, err)
	}
}

// sweepFollows: a refreshed session ends later, and is swept then and not before.
func sweepFollows(t *testing.T, store Store, c *Clock) {
	s := Begin(t, store, Alice, c, "k1")
	c.Advance(Idle / 2)
	Must(t, store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
		s.IdleEnd = c.Now().Add(Idle)
		return auth.Save, nil
	}))
	c.Advance(Idle / 2)
	if n, err := store.Sweep(t.Context(), c.Now(), 10); err != nil || n != 0 {
		t.Fatalf("swept %d, %v: the old end must not count", n, err)
	}
	if _, err := store.Session(t.Context(), s.ID); err != nil || len(KeysOf(t, store, Alice)) != 1 {
		t.Fatalf("the session is gone: %v", err)
	}
	c.Advance(Idle / 2)
	if n, err := store.Sweep(t.Context(), c.Now(), 10); err != nil || n != 1 || store.Count().Users != 0 {
		t.Fatalf("swept %d, %v, %+v", n, err, store.Count())
	}
}
