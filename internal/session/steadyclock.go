package session

import (
	"sync"
	"time"
)

// aheadFor is how long the wall clock must be ahead before it is trusted: longer than access
// tokens live, so that a revocation outlives its tokens by the monotonic clock too. Only
// space depends on it.
const aheadFor = 24 * time.Hour

// steadyClock is a wall clock for code that forgets expired entries: it does not run ahead of
// the monotonic clock. If the wall clock were ahead for one sweep, until NTP corrected it,
// the sweep would forget revocations whose tokens then become valid again, and sessions that
// have not expired. A clock that is set back is followed at once.
//
// It has no information about the time before the process: a clock that is already ahead when
// the process starts is trusted.
// process starts is believed.
type steadyClock struct {
	wall      func() time.Time
	monotonic func() time.Duration // since an arbitrary time

	mu    sync.Mutex
	at    time.Duration // when the clocks were compared, by the monotonic clock
	base  time.Time     // the wall clock's time at that moment
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

// tolerance is how far the clocks may drift apart between two readings.
const tolerance = time.Second

// Now returns the wall clock's time, or its time had it not been set ahead.
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
