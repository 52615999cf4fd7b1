package metrics

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestRecent: the rates have no counts from more than five minutes ago, and no zero counts.
func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := StartRecent()
		if err != nil {
			t.Fatal(err)
		}
		count := func(call, outcome string) int {
			_, rates := r.Rates()
			for _, rate := range rates {
				if rate.Call == call && rate.Outcome == outcome {
					return rate.Count
				}
			}
			return 0
		}
		Calls.WithLabelValues("login", OK).Add(3)
		AdmittedRequests.Add(2)
		time.Sleep(2*time.Minute + time.Second)
		Calls.WithLabelValues("login", OK).Inc()
		if n := count("login", OK); n != 4 {
			t.Errorf("%d logins, want 4", n)
		}
		if n := count("request", Admitted); n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
		time.Sleep(3 * time.Minute) // the first snapshot is five minutes old
		if n := count("login", OK); n != 1 {
			t.Errorf("%d logins after five minutes, want 1", n)
		}
		if since, _ := r.Rates(); time.Since(since) > recentMinutes*time.Minute {
			t.Errorf("the rates are of %s", time.Since(since))
		}
		if n := count("request", Admitted); n != 0 {
			t.Errorf("%d requests after five minutes, want 0", n)
		}
		if err := r.Destruct(); err != nil {
			t.Error(err)
		}
	})
}
