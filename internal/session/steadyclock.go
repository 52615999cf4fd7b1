package session

import (
	"sync"
	"time"
)

// aheadFor is how long the wall clock must be ahead before it is believed: longer
// than access tokens live, so that a revocation outlives its tokens by the monotonic
// clock as well. Nothing but space depends on it.
const aheadFor = 24 * time.Hour

// steadyClock is the wall clock for what forgets: it does not run ahead of the
// monotonic clock. A wall clock that was ahead for one sweep, until NTP corrected it,
// would have revocations forgotten whose tokens are then valid again, and sessions
// that are still alive. A clock that is set back is followed at once.
//
// It knows nothing of the time before the process: a clock that is ahead when the
// process starts is believed.
type steadyClock struct {
	wall      func() time.Time
	monotonic func() time.Duration // since some time

	mu    sync.Mutex
	at    time.Duration // when the clocks were compared, by the monotonic one
	base  time.Time     // what the wall clock said then
	ahead time.Duration // since when the wall clock is ahead; 0 while it is not
}

func newSteadyClock() *steadyClock {
	started := time.Now()
	return &steadyClock{
		wall:      func() time.Time { return time.Now().Round(0) },
		monotonic: func() time.Duration { return time.Since(started) },
		base:      started.Round(0),
	}
}

// tolerance is how far the clocks may drift apart between two looks.
const tolerance = time.Second

// Now is the wall clock's time, or what it would be had it not been set ahead.
func (c *steadyClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall, at := c.wall(), c.monotonic()
	expected := c.base.Add(at - c.at)
	if wall.After(expected.Add(tolerance)) {
		if c.ahead == 0 {
			c.ahead = at
		}
		if at-c.ahead < aheadFor {
			return expected
		}
	}
	c.base, c.at, c.ahead = wall, at, 0
	return wall
}
