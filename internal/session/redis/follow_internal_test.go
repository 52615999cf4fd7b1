package redis

import (
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// How long Redis was away, for those who have waited since it went.
func TestOutageArithmetic(t *testing.T) {
	t.Parallel()
	const grace = auth.RefreshGrace
	for name, test := range map[string]struct {
		last  *outage       // over before this one
		began time.Duration // this one, which is over at an hour
		since time.Duration // how long it is over
		want  time.Duration
	}{
		"just over":                 {nil, time.Hour - time.Minute, 0, time.Minute},
		"over for the grace":        {nil, time.Hour - time.Minute, grace - time.Second, time.Minute},
		"long over":                 {nil, time.Hour - time.Minute, grace + time.Second, 0},
		"close upon another":        {&outage{time.Minute, time.Hour - time.Minute - grace}, time.Hour - time.Minute, 0, time.Hour - time.Minute},
		"long after another":        {&outage{time.Minute, time.Hour - time.Minute - grace - 1}, time.Hour - time.Minute, 0, time.Minute},
		"close upon a long one ago": {&outage{0, time.Hour - time.Second}, time.Hour - time.Second, grace + time.Second, 0},
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
				t.Error("still in trouble")
			}
			if got := r.Outage(); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// A virtual machine that was suspended for an hour: its monotonic clock stood still,
// and its wall clock is right again. One whose clock was set back is as before.
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
