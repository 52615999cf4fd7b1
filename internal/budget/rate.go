package budget

import (
	"fmt"
	"time"
)

const (
	// MinPer is the shortest window. A shorter window would not bound the cost.
	MinPer = time.Second
	// MaxPer is the longest window: a year.
	MaxPer = 366 * 24 * time.Hour

	day = 24 * time.Hour
	// beijing is how far Beijing's clocks are ahead of UTC. China has had no daylight saving
	// time since 1991.
	beijing = 8 * time.Hour
)

// Rate is how many calls each window allows. Windows follow each other without a gap: windows of
// whole days begin at midnight in Beijing, when WeChat's quotas are reset, and others at
// multiples of their length since 1970-01-01 in UTC.
type Rate struct {
	Calls int
	Per   time.Duration // in whole seconds
}

// Check returns an error unless the rate has at least one call and a window of whole seconds,
// from [MinPer] to [MaxPer].
func (r Rate) Check() error {
	if r.Calls < 1 {
		return fmt.Errorf("%d calls: expected at least 1", r.Calls)
	}
	if r.Per < MinPer || r.Per > MaxPer || r.Per%time.Second != 0 {
		return fmt.Errorf("a window of %v: expected whole seconds, from 1s to 366d", r.Per)
	}
	return nil
}

// Offset is how long before a multiple of Per, since 1970-01-01 in UTC, a window begins.
func (r Rate) Offset() time.Duration {
	if r.Per%day == 0 {
		return beijing
	}
	return 0
}

// Begin returns when the window that contains a time began.
func (r Rate) Begin(at time.Time) time.Time {
	ms := at.UnixMilli() + r.Offset().Milliseconds()
	return time.UnixMilli(ms - ms%r.Per.Milliseconds() - r.Offset().Milliseconds())
}
