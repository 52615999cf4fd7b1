package budget_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/budget"
)

// brokenStore fails on demand.
type brokenStore struct {
	budget.Store
	reserve, giveBack, report error
}

func (s *brokenStore) Reserve(ctx context.Context, name string, rate budget.Rate) (budget.Reserved, error) {
	if s.reserve != nil {
		return budget.Reserved{}, s.reserve
	}
	return s.Store.Reserve(ctx, name, rate)
}

func (s *brokenStore) Return(ctx context.Context, name string, rate budget.Rate, begin time.Time) error {
	if s.giveBack != nil {
		return s.giveBack
	}
	return s.Store.Return(ctx, name, rate, begin)
}

func (s *brokenStore) Report(ctx context.Context, name string, rate budget.Rate, begin time.Time) (bool, error) {
	if s.report != nil {
		return false, s.report
	}
	return s.Store.Report(ctx, name, rate, begin)
}

// newBudget returns a budget of two calls over a store, and a function that returns the outcomes.
func newBudget(store budget.Store) (b *budget.Budget, observed func() []budget.Outcome) {
	var mu sync.Mutex
	var all []budget.Outcome
	b = budget.New(budget.Config{Store: store, App: "wx0000000000000001", Rate: budget.Rate{Calls: 2, Per: budget.MaxPer}, Observe: func(o budget.Outcome) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, o)
	}})
	return b, func() []budget.Outcome {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

func reserve(t *testing.T, b *budget.Budget) (settle func(bool)) {
	t.Helper()
	settle, err := b.Reserve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return settle
}

func wantLeft(t *testing.T, b *budget.Budget, want int) {
	t.Helper()
	if left, err := b.Left(t.Context()); err != nil || left != want {
		t.Errorf("%d left, %v; want %d", left, err, want)
	}
}

// exhausted reserves a call, which must be refused until the window ends.
func exhausted(t *testing.T, b *budget.Budget, first bool) {
	t.Helper()
	_, err := b.Reserve(t.Context())
	refused, ok := errors.AsType[*auth.BudgetError](err)
	if !ok || !errors.Is(err, auth.ErrBudgetExhausted) || refused.First != first || refused.RetryAfter <= 0 || refused.RetryAfter > budget.MaxPer {
		t.Errorf("got %+v, want a first (%t) BudgetError", err, first)
	}
}

// TestBudget: calls that cost nothing are returned. While calls are in progress that may be
// returned, others are refused for a moment and not until the window ends.
func TestBudget(t *testing.T) {
	t.Parallel()
	b, observed := newBudget(budget.NewLocal(nil, time.Now))
	one, two := reserve(t, b), reserve(t, b)
	wantLeft(t, b, 0)
	_, err := b.Reserve(t.Context())
	if busy, ok := errors.AsType[*auth.LimitError](err); !ok || busy.RetryAfter != time.Second || errors.Is(err, auth.ErrBudgetExhausted) {
		t.Errorf("while two are in progress: %v", err)
	}
	one(false)
	wantLeft(t, b, 1)
	two(true)
	wantLeft(t, b, 1)
	reserve(t, b)(true)
	exhausted(t, b, true)
	exhausted(t, b, false)
	wantLeft(t, b, 0)
	want := []budget.Outcome{budget.Busy, budget.Returned, budget.Spent, budget.Spent, budget.Exhausted, budget.Exhausted}
	if got := observed(); !slices.Equal(got, want) {
		t.Errorf("observed %v, want %v", got, want)
	}
}

// TestFirst: only one machine reports that a window is exhausted, and a machine that started
// later does not report it again.
func TestFirst(t *testing.T) {
	t.Parallel()
	store := budget.NewLocal(nil, time.Now)
	a, _ := newBudget(store)
	reserve(t, a)(true)
	reserve(t, a)(true)
	exhausted(t, a, true)
	b, _ := newBudget(store)
	exhausted(t, b, false)
}

// TestStoreDown: if the store fails, the call is refused; if it fails later, the call is not
// returned.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	store := &brokenStore{Store: budget.NewLocal(nil, time.Now), reserve: auth.ErrStoreUnavailable}
	b, observed := newBudget(store)
	if _, err := b.Reserve(t.Context()); !errors.Is(err, auth.ErrStoreUnavailable) {
		t.Errorf("got %v", err)
	}
	store.reserve, store.giveBack, store.report = nil, auth.ErrStoreUnavailable, auth.ErrStoreUnavailable
	reserve(t, b)(false)
	reserve(t, b)(false)
	exhausted(t, b, true) // two reports are better than none
	want := []budget.Outcome{budget.Failed, budget.Kept, budget.Kept, budget.Exhausted}
	if got := observed(); !slices.Equal(got, want) {
		t.Errorf("observed %v, want %v", got, want)
	}
}

// TestClientGone: a call is returned even if its client has disconnected.
func TestClientGone(t *testing.T) {
	t.Parallel()
	b, _ := newBudget(budget.NewLocal(nil, time.Now))
	ctx, cancel := context.WithCancel(t.Context())
	settle, err := b.Reserve(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	settle(false)
	wantLeft(t, b, 2)
}
