package redis

import (
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// TestOutageArithmetic: Outage returns how long clients may have waited for Redis.
func TestOutageArithmetic(t *testing.T) {
	t.Parallel()
	const grace = auth.RefreshGrace
	for name, test := range map[string]struct {
		last  *outage       // which ended before this one
		began time.Duration // of this outage, which ends after an hour
		since time.Duration // the time since its end
		want  time.Duration
	}{
		"just ended":                   {nil, time.Hour - time.Minute, 0, time.Minute},
		"ended within the grace":       {nil, time.Hour - time.Minute, grace - time.Second, time.Minute},
		"ended long ago":               {nil, time.Hour - time.Minute, grace + time.Second, 0},
		"soon after another":           {&outage{time.Minute, time.Hour - time.Minute - grace}, time.Hour - time.Minute, 0, time.Hour - time.Minute},
		"long after another":           {&outage{time.Minute, time.Hour - time.Minute - grace - 1}, time.Hour - time.Minute, 0, time.Minute},
		"soon after another, long ago": {&outage{0, time.Hour - time.Second}, time.Hour - time.Second, grace + time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &Client{opened: time.Now().Add(-time.Hour - test.since)}
			f := newFollower(r, nil)
			r.followers = []*follower{newFollower(r, nil), f}
			if test.last != nil {
				f.outage.Store(test.last)
			}
			f.received.Store(int64(test.began))
			f.failure.Store(&failure{})
			f.recover(time.Hour)
			if f.failure.Load() != nil {
				t.Error("the failure has not ended")
			}
			if got := r.Outage(); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// TestStaleByEitherClock: the monotonic clock of a virtual machine stops while the machine is
// suspended, and its wall clock is right afterwards. A wall clock that is set back changes nothing.
func TestStaleByEitherClock(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ monotonic, wall, want time.Duration }{
		"both agree":    {time.Second, time.Second, time.Second},
		"suspended":     {time.Second, time.Hour, time.Hour},
		"wall set back": {time.Minute, -time.Hour, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &Client{opened: time.Now().Add(-2 * time.Hour)}
			fresh, f := newFollower(r, nil), newFollower(r, nil)
			r.followers = []*follower{fresh, f}
			now := time.Since(r.opened)
			fresh.received.Store(int64(now))
			fresh.receivedAt.Store(time.Now().UnixNano())
			f.received.Store(int64(now - test.monotonic))
			f.receivedAt.Store(time.Now().Add(-test.wall).UnixNano())
			if got := r.Stale(); got < test.want || got > test.want+time.Minute/2 {
				t.Errorf("stale for %v, want %v", got, test.want)
			}
		})
	}
}
