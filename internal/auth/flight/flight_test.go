package flight_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/wxgate/wxgate/internal/auth/flight"
)

// TestFlight: the other callers get the leader's result once it lands; a later call does not.
func TestFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g flight.Group[string, int]
		led, leads := g.Join("a", -1)
		if !leads {
			t.Fatal("the first does not lead")
		}
		if _, leads := g.Join("b", -1); !leads {
			t.Error("another key shares the flight")
		}
		got := make(chan int, 3)
		for range cap(got) {
			f, leads := g.Join("a", -1)
			if leads || f != led {
				t.Fatal("another leads")
			}
			go func() {
				n, err := f.Wait(t.Context())
				if err != nil {
					t.Error(err)
				}
				got <- n
			}()
		}
		led.Set(7)
		synctest.Wait()
		if len(got) > 0 {
			t.Error("a result was returned before the flight landed")
		}
		g.Land("a")
		for range cap(got) {
			if n := <-got; n != 7 {
				t.Errorf("got %d, want 7", n)
			}
		}
		if _, leads := g.Join("a", -1); !leads {
			t.Error("a later call shares the result")
		}
	})
}

// TestWaitEnds: a canceled caller stops waiting. If the leader panics, the others get the
// result that it joined with.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	var g flight.Group[string, int]
	_, _ = g.Join("a", -1)
	f, _ := g.Join("a", -2)
	left := errors.New("left")
	ctx, leave := context.WithCancelCause(t.Context())
	leave(left)
	if _, err := f.Wait(ctx); !errors.Is(err, left) {
		t.Errorf("got %v, want the cause", err)
	}
	g.Land("a")
	if n, err := f.Wait(t.Context()); n != -1 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}
