package redis

import (
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// outage is a time, since Redis was opened, in which a follower did not hear it.
type outage struct{ began, ended time.Duration }

// chained is when an outage that follows close upon another began for those who
// have waited since the first.
func (f *follower) chained(began time.Duration) time.Duration {
	if last := f.outage.Load(); last != nil && began-last.ended <= auth.RefreshGrace {
		return last.began
	}
	return began
}

// Outage is how long Redis was lately not to be heard, and 0 once that is longer
// ago than [auth.RefreshGrace]: see [auth.Config].
func (r *Client) Outage() time.Duration {
	var longest time.Duration
	now := time.Since(r.opened)
	for _, f := range r.followers {
		if last := f.outage.Load(); last != nil && now-last.ended <= auth.RefreshGrace {
			longest = max(longest, last.ended-last.began)
		}
	}
	return longest
}
