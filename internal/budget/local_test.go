package budget_test

import (
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/budget"
	"github.com/wxgate/wxgate/internal/budget/budgettest"
)

// TestMemory: for a store in memory, all machines are the same process.
func TestMemory(t *testing.T) {
	t.Parallel()
	store := budget.NewLocal(nil, time.Now)
	budgettest.Conform(t, func(testing.TB) budget.Store { return store })
}

// TestWindows: windows of whole days begin at midnight in Beijing, others at multiples of their
// length.
func TestWindows(t *testing.T) {
	t.Parallel()
	utc := func(s string) time.Time {
		at, err := time.Parse("2006-01-02 15:04:05.000", s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, row := range []struct {
		per       time.Duration
		at, begin string
	}{
		{24 * time.Hour, "2026-11-28 15:59:59.999", "2026-11-27 16:00:00.000"},
		{24 * time.Hour, "2026-11-28 16:00:00.000", "2026-11-28 16:00:00.000"},
		{24 * time.Hour, "2026-11-29 00:00:00.000", "2026-11-28 16:00:00.000"},
		{7 * 24 * time.Hour, "2026-11-29 00:00:00.000", "2026-11-25 16:00:00.000"}, // Thursday in Beijing
		{12 * time.Hour, "2026-11-29 11:59:59.000", "2026-11-29 00:00:00.000"},
		{time.Hour, "2026-11-29 11:59:59.000", "2026-11-29 11:00:00.000"},
		{36 * time.Hour, "2026-11-29 11:59:59.000", "2026-11-28 12:00:00.000"},
		{time.Second, "2026-11-29 11:59:59.999", "2026-11-29 11:59:59.000"},
	} {
		if got := (budget.Rate{Calls: 1, Per: row.per}).Begin(utc(row.at)); !got.Equal(utc(row.begin)) {
			t.Errorf("%v at %s: %v, want %s", row.per, row.at, got.UTC(), row.begin)
		}
	}
}

// TestClock: a new window has all calls again. A clock that is set back does not start a new
// window, and a clock that was far ahead does not exhaust the budget.
func TestClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 10, 59, 0, 0, time.UTC)
	s, rate := budget.NewLocal(nil, func() time.Time { return now }), budget.Rate{Calls: 1, Per: time.Hour}
	for i, step := range []struct {
		move time.Duration
		ok   bool
	}{
		{0, true},
		{59 * time.Second, false},
		{time.Second, true},
		{-time.Minute, false}, // 10:59 again
		{time.Minute, false},  // 11:00 again
		{time.Hour, true},     // 12:00
		{365 * 24 * time.Hour, true},
		{-365 * 24 * time.Hour, true}, // 12:00 again: the window of next year is forgotten
		{time.Minute, false},
	} {
		now = now.Add(step.move)
		r, err := s.Reserve(t.Context(), "a", rate)
		if err != nil || r.OK != step.ok {
			t.Errorf("step %d at %v: %+v, %v", i, now, r, err)
		}
		if want := rate.Begin(now).Add(rate.Per); r.OK && !r.End.Equal(want) {
			t.Errorf("step %d ends %v, want %v", i, r.End, want)
		}
	}
}

func TestRateCheck(t *testing.T) {
	t.Parallel()
	for _, bad := range []budget.Rate{{}, {0, time.Hour}, {1, 0}, {1, time.Millisecond}, {1, 1500 * time.Millisecond}, {1, 367 * 24 * time.Hour}, {-1, time.Hour}} {
		if bad.Check() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	for _, good := range []budget.Rate{{1, time.Second}, {1000, 24 * time.Hour}, {1, budget.MaxPer}} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
}
