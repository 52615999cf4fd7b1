package simweb

import (
	"testing"
	"time"
)

// TestMinute allows 5,000 calls, and again as many a minute later.
func TestMinute(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	var m minute
	for range 2 {
		for i := range perMinute {
			if !m.allow(now.Add(time.Duration(i))) {
				t.Fatalf("call %d is refused", i+1)
			}
		}
		if m.allow(now.Add(time.Minute - 1)) {
			t.Error("one call too many is allowed")
		}
		now = now.Add(time.Minute)
	}
}
