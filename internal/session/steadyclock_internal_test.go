package session

import (
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// twoClocks are a wall clock that a test sets, and a monotonic clock.
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

// TestRevocationOutlivesAClockAhead: a sweep with a clock that is a year ahead
// does not remove a revocation.
func TestRevocationOutlivesAClockAhead(t *testing.T) {
	t.Parallel()
	c := &twoClocks{wall: time.Now().Round(0), monotonic: time.Hour}
	steady := c.steady()
	options := Options{}.WithDefaults()
	options.sweepClock = steady.Now
	set := NewSet()
	alice := auth.User{App: "wx1", OpenID: "alice"}
	revoked := &auth.Identity{User: alice, Session: auth.NewSessionID(c.wall, alice)}
	set.Add(auth.Revocation{Session: revoked.Session, Until: c.wall.Add(time.Hour)})
	c.wall = c.wall.AddDate(1, 0, 0)
	c.pass(time.Minute)
	if n := set.Sweep(options.SweepNow()); n != 0 {
		t.Errorf("swept %d", n)
	}
	c.wall = c.wall.AddDate(-1, 0, 0)
	if !set.Revoked(revoked) {
		t.Error("the revocation was forgotten")
	}
}
