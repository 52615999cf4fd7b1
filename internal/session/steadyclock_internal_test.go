package session

import (
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// A wall clock that a test sets, beside a monotonic one.
type twoClocks struct {
	wall      time.Time
	monotonic time.Duration
}

func (c *twoClocks) pass(d time.Duration) {
	c.wall, c.monotonic = c.wall.Add(d), c.monotonic+d
}

func (c *twoClocks) steady() *steadyClock {
	return &steadyClock{
		wall: func() time.Time { return c.wall }, monotonic: func() time.Duration { return c.monotonic },
		base: c.wall, at: c.monotonic,
	}
}

func TestSteadyClock(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	c := &twoClocks{wall: began, monotonic: time.Hour}
	steady := c.steady()
	want := func(what string, at time.Time) {
		t.Helper()
		if got := steady.Now(); !got.Equal(at) {
			t.Errorf("%s: %v, want %v", what, got, at)
		}
	}
	c.pass(time.Minute)
	want("in step", began.Add(time.Minute))
	c.wall = c.wall.AddDate(1, 0, 0)
	c.pass(time.Minute)
	want("a year ahead", began.Add(2*time.Minute))
	c.wall = c.wall.AddDate(-1, 0, 0)
	c.pass(time.Minute)
	want("corrected", began.Add(3*time.Minute))
	c.wall = c.wall.Add(-time.Hour)
	want("set back", began.Add(3*time.Minute-time.Hour))
	c.wall = c.wall.Add(2 * time.Hour)
	c.pass(time.Minute)
	want("ahead", began.Add(4*time.Minute-time.Hour))
	c.pass(aheadFor)
	want("ahead for a day", began.Add(4*time.Minute+time.Hour+aheadFor))
}

// TestRevocationOutlivesAClockAhead: one sweep with a clock that is a year ahead
// forgets neither a revocation nor a live session.
func TestRevocationOutlivesAClockAhead(t *testing.T) {
	t.Parallel()
	c := &twoClocks{wall: time.Now().Round(0), monotonic: time.Hour}
	steady := c.steady()
	now := func() time.Time { return c.wall }
	store := NewMemory(now, Options{Now: steady.Now})
	revoked := &auth.Identity{User: auth.User{App: "wx1", OpenID: "alice"}, Session: auth.NewSessionID(c.wall, auth.User{App: "wx1", OpenID: "alice"})}
	if err := store.RevokeSession(t.Context(), revoked.Session, c.wall.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	bob := auth.User{App: "wx1", OpenID: "bob"}
	live := &auth.Session{ID: auth.NewSessionID(c.wall, bob), User: bob, CreatedAt: c.wall, AbsoluteEnd: c.wall.Add(time.Hour), IdleEnd: c.wall.Add(time.Hour)}
	if err := store.Create(t.Context(), live, auth.SessionKey{}); err != nil {
		t.Fatal(err)
	}
	c.wall = c.wall.AddDate(1, 0, 0)
	c.pass(time.Minute)
	if _, err := store.Sweep(t.Context(), store.opts.sweepNow(), sweepLimit); err != nil {
		t.Fatal(err)
	}
	c.wall = c.wall.AddDate(-1, 0, 0)
	if !store.Revocations().Revoked(revoked) {
		t.Error("the revocation was forgotten")
	}
	if _, err := store.Session(t.Context(), live.ID); err != nil {
		t.Errorf("the live session is gone: %v", err)
	}
}
