package budget

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// returnTime bounds the return of a call, whose client may have disconnected.
const returnTime = 5 * time.Second

// busyRetry is when to retry a call that was refused because of calls in progress.
const busyRetry = time.Second

// Outcome is the outcome of a call: a closed set.
type Outcome string

// The outcomes.
const (
	Spent     Outcome = "spent"     // the call cost something, or may have
	Returned  Outcome = "returned"  // the call certainly cost nothing
	Kept      Outcome = "kept"      // the call cost nothing, but the store could not record that
	Exhausted Outcome = "exhausted" // the call was refused until the window ends
	Busy      Outcome = "busy"      // the call was refused while others were in progress
	Failed    Outcome = "failed"    // the call was refused because the store is down
)

// Config configures a [Budget]. Every field is required.
type Config struct {
	Store Store
	App   auth.AppID
	Rate  Rate
	// Observe is called once with the outcome of each call. It must not block.
	Observe func(Outcome)
}

// Budget is the budget of one app. It is safe for concurrent use.
type Budget struct {
	cfg      Config
	name     string
	underWay atomic.Int64 // calls of this process that were admitted
	reported atomic.Int64 // start of the last exhausted window, in ms
}

// New returns a budget. Budgets of one app with the same window share their count.
func New(cfg Config) *Budget {
	return &Budget{cfg: cfg, name: string(cfg.App) + "." + strconv.FormatInt(int64(cfg.Rate.Per/time.Second), 10)}
}

// Reserve counts a call before it is made. The caller must call settle once, and report whether
// the call cost something or may have. Errors: [*auth.BudgetError] if the window has no call
// left, [auth.ErrRateLimited] if it may have one when the calls in progress have ended, and
// those of the store.
func (b *Budget) Reserve(ctx context.Context) (settle func(charged bool), err error) {
	r, err := b.cfg.Store.Reserve(ctx, b.name, b.cfg.Rate)
	if err != nil {
		b.cfg.Observe(Failed)
		return nil, err
	}
	if r.OK {
		b.underWay.Add(1)
		return func(charged bool) { b.settle(ctx, r.Begin, charged) }, nil
	}
	if b.underWay.Load() > 0 {
		// One user's invalid codes must not block other users until the window ends.
		b.cfg.Observe(Busy)
		return nil, &auth.LimitError{RetryAfter: busyRetry, Reason: "the last calls of phone_budget are under way"}
	}
	b.cfg.Observe(Exhausted)
	return nil, &auth.BudgetError{RetryAfter: time.Until(r.End), First: b.first(ctx, r.Begin)}
}

// first reports whether this is the first refusal of the window that began at begin, on any
// machine.
func (b *Budget) first(ctx context.Context, begin time.Time) bool {
	if ms := begin.UnixMilli(); b.reported.Swap(ms) == ms {
		return false // a flood of requests causes one call of the store
	}
	first, err := b.cfg.Store.Report(ctx, b.name, b.cfg.Rate, begin)
	return first || err != nil // two reports are better than none
}

// settle ends a call that began in a window. It uncounts the call if it was not charged, even
// if the client has disconnected.
func (b *Budget) settle(ctx context.Context, begin time.Time, charged bool) {
	defer b.underWay.Add(-1)
	if charged {
		b.cfg.Observe(Spent)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), returnTime)
	defer cancel()
	if b.cfg.Store.Return(ctx, b.name, b.cfg.Rate, begin) != nil {
		b.cfg.Observe(Kept) // the safe direction: fewer calls are made than allowed
		return
	}
	b.cfg.Observe(Returned)
}

// Left returns how many calls the current window has left.
func (b *Budget) Left(ctx context.Context) (int, error) {
	w, err := b.cfg.Store.Current(ctx, b.name, b.cfg.Rate)
	if err != nil {
		return 0, fmt.Errorf("reading what is left of phone_budget: %w", err)
	}
	return max(0, b.cfg.Rate.Calls-w.Used), nil
}
