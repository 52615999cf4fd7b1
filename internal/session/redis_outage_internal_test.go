package session

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
			r := &Redis{opened: time.Now().Add(-time.Hour - test.since)}
			f := newFollower(r, nil)
			r.followers = []*follower{newFollower(r, nil), f}
			if test.last != nil {
				f.outage.Store(test.last)
			}
			f.heard.Store(int64(test.began))
			f.trouble.Store(&trouble{})
			f.recover(time.Hour)
			if f.trouble.Load() != nil {
				t.Error("still in trouble")
			}
			if got := r.Outage(); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
