// Package budgettest has the tests that every store of budgets must pass.
package budgettest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/budget"
)

// Rate has a window that does not end during a test, except on one day of 2027.
var Rate = budget.Rate{Calls: 3, Per: budget.MaxPer}

// Conform tests a store. open opens the same store, initially empty, on another machine.
func Conform(t *testing.T, open func(t testing.TB) budget.Store) {
	t.Helper()
	t.Run("count", func(t *testing.T) { count(t, open(t)) })
	t.Run("names", func(t *testing.T) { names(t, open(t)) })
	t.Run("report", func(t *testing.T) { report(t, open(t), open(t)) })
	t.Run("race", func(t *testing.T) { race(t, open(t), open(t)) })
}

// Want fails the test unless the window of a name has the given number of calls, and returns it.
func Want(t testing.TB, s budget.Store, name string, used int) budget.Window {
	t.Helper()
	w, err := s.Current(t.Context(), name, Rate)
	if err != nil || w.Used != used {
		t.Fatalf("%s has %d calls, %v; want %d", name, w.Used, err, used)
	}
	if w.End.Sub(w.Begin) != Rate.Per || time.Now().Before(w.Begin) || time.Now().After(w.End) {
		t.Errorf("the window is %v to %v", w.Begin, w.End)
	}
	return w
}

// Reserve reserves one call, which must be admitted if ok, and refused otherwise.
func Reserve(t testing.TB, s budget.Store, name string, ok bool) budget.Reserved {
	t.Helper()
	r, err := s.Reserve(t.Context(), name, Rate)
	if err != nil || r.OK != ok {
		t.Fatalf("reserved %+v, %v; want %t", r, err, ok)
	}
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// count: as many calls are admitted as the rate allows, and one more for each call that is
// returned to its own window.
func count(t *testing.T, s budget.Store) {
	t.Helper()
	w := Want(t, s, "count", 0)
	for i := range Rate.Calls {
		if r := Reserve(t, s, "count", true); r.Used != i+1 || !r.Begin.Equal(w.Begin) || !r.End.Equal(w.End) {
			t.Errorf("call %d: %+v", i, r)
		}
	}
	Reserve(t, s, "count", false)
	Want(t, s, "count", 3)
	must(t, s.Return(t.Context(), "count", Rate, w.Begin.Add(-Rate.Per))) // of the previous window
	Reserve(t, s, "count", false)
	must(t, s.Return(t.Context(), "count", Rate, w.Begin))
	Want(t, s, "count", 2)
	Reserve(t, s, "count", true)
	Reserve(t, s, "count", false)
	for range 5 {
		must(t, s.Return(t.Context(), "count", Rate, w.Begin))
	}
	Want(t, s, "count", 0)
}

// names: each name has its own count, and a count is compared with the current rate.
func names(t *testing.T, s budget.Store) {
	t.Helper()
	for range Rate.Calls {
		Reserve(t, s, "one", true)
	}
	Reserve(t, s, "one", false)
	Reserve(t, s, "other", true)
	more := Rate
	more.Calls++
	if r, err := s.Reserve(t.Context(), "one", more); err != nil || !r.OK || r.Used != 4 {
		t.Errorf("with a higher limit: %+v, %v", r, err)
	}
	Reserve(t, s, "one", false)
}

// report: only one machine is the first, even if calls are made and returned in between.
func report(t *testing.T, s, other budget.Store) {
	t.Helper()
	w := Reserve(t, s, "report", true)
	for i, want := range []bool{true, false, false} {
		first, err := []budget.Store{s, other, s}[i].Report(t.Context(), "report", Rate, w.Begin)
		if err != nil || first != want {
			t.Errorf("report %d: %t, %v", i, first, err)
		}
		must(t, other.Return(t.Context(), "report", Rate, w.Begin))
		Reserve(t, other, "report", true)
	}
	if first, err := s.Report(t.Context(), "report", Rate, w.Begin.Add(-Rate.Per)); err != nil || first {
		t.Errorf("the previous window: %t, %v", first, err)
	}
	Want(t, s, "report", 1)
}

// race: two machines that reserve and return at once are admitted exactly as often as the rate
// allows.
func race(t *testing.T, machines ...budget.Store) {
	t.Helper()
	const each, rounds = 4, 5
	var admitted, kept atomic.Int64
	var running sync.WaitGroup
	for i := range each * len(machines) {
		s := machines[i%len(machines)]
		running.Go(func() {
			for n := range rounds {
				r, err := s.Reserve(t.Context(), "race", Rate)
				switch {
				case err != nil:
					t.Error(err)
				case r.OK && (i+n)%2 == 0:
					admitted.Add(1)
					if err := s.Return(t.Context(), "race", Rate, r.Begin); err != nil {
						t.Error(err)
					}
				case r.OK:
					kept.Add(1)
				}
			}
		})
	}
	running.Wait()
	if kept.Load() > int64(Rate.Calls) {
		t.Errorf("%d calls were kept", kept.Load())
	}
	Want(t, machines[0], "race", int(kept.Load()))
	for range Rate.Calls - int(kept.Load()) {
		Reserve(t, machines[1], "race", true)
	}
	Reserve(t, machines[0], "race", false)
}
