package budget

import "time"

// Count is the number of calls in one window. The zero value is a window long ago.
type Count struct {
	Begin    time.Time `json:"begin"` // of the window
	Used     int       `json:"used"`
	Reported bool      `json:"reported,omitempty"` // the refusal of a call was reported
}

// at returns the count of the window that contains a time: the same one, or a new one without
// calls. If a clock was set back, the current window continues until its end: otherwise its
// calls would be allowed twice. A window further in the future comes from a wrong clock.
func (c Count) at(now time.Time, rate Rate) Count {
	begin := rate.Begin(now)
	if c.Begin.Before(begin) || c.Begin.After(begin.Add(rate.Per)) {
		return Count{Begin: begin}
	}
	return c
}

// Window is the state of the current window.
type Window struct {
	Count
	End time.Time
}

// Reserved is the result of a reservation.
type Reserved struct {
	Window
	OK bool // whether the call may be made
}

// reserve counts one call, unless all calls are used.
func (c *Count) reserve(rate Rate) Reserved {
	ok := c.Used < rate.Calls
	if ok {
		c.Used++
	}
	return Reserved{Window: c.window(rate), OK: ok}
}

func (c *Count) window(rate Rate) Window { return Window{Count: *c, End: c.Begin.Add(rate.Per)} }
