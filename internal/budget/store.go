package budget

import (
	"context"
	"sync"
	"time"
)

// Store keeps counts by name. Every method is one atomic step over all machines, and durable
// when it returns nil. Failures wrap [auth.ErrStoreUnavailable].
type Store interface {
	// Reserve counts one call in the current window, unless the window already has as many as
	// the rate allows.
	Reserve(ctx context.Context, name string, rate Rate) (Reserved, error)
	// Return uncounts one call of the window that began at begin, if it is still the current one.
	Return(ctx context.Context, name string, rate Rate, begin time.Time) error
	// Report returns true once for the window that began at begin, and false if it is not the
	// current one.
	Report(ctx context.Context, name string, rate Rate, begin time.Time) (first bool, err error)
	// Current returns the current window.
	Current(ctx context.Context, name string, rate Rate) (Window, error)
}

// Journal keeps the counts of a [Local].
type Journal interface {
	// Read returns the count with a name; the zero value if there is none.
	Read(ctx context.Context, name string) (Count, error)
	// Update calls change to edit the count with a name. Updates happen one after the other.
	Update(ctx context.Context, name string, change func(*Count)) error
}

// Local is a [Store] of one process.
type Local struct {
	journal Journal
	now     func() time.Time
}

// NewLocal returns a store over a journal; if it is nil, the counts end with the process.
func NewLocal(journal Journal, now func() time.Time) *Local {
	if journal == nil {
		journal = &memory{counts: make(map[string]Count)}
	}
	return &Local{journal: journal, now: now}
}

// Reserve implements [Store].
func (l *Local) Reserve(ctx context.Context, name string, rate Rate) (r Reserved, err error) {
	err = l.update(ctx, name, rate, func(c *Count) { r = c.reserve(rate) })
	return r, err
}

// update calls change to edit the count of the current window.
func (l *Local) update(ctx context.Context, name string, rate Rate, change func(*Count)) error {
	return l.journal.Update(ctx, name, func(c *Count) {
		*c = c.at(l.now(), rate)
		change(c)
	})
}

// Return implements [Store].
func (l *Local) Return(ctx context.Context, name string, rate Rate, begin time.Time) error {
	return l.update(ctx, name, rate, func(c *Count) {
		if c.Begin.Equal(begin) && c.Used > 0 {
			c.Used--
		}
	})
}

// Report implements [Store].
func (l *Local) Report(ctx context.Context, name string, rate Rate, begin time.Time) (first bool, err error) {
	err = l.update(ctx, name, rate, func(c *Count) {
		if c.Begin.Equal(begin) {
			first, c.Reported = !c.Reported, true
		}
	})
	return first, err
}

// Current implements [Store].
func (l *Local) Current(ctx context.Context, name string, rate Rate) (Window, error) {
	c, err := l.journal.Read(ctx, name)
	if err != nil {
		return Window{}, err
	}
	c = c.at(l.now(), rate)
	return c.window(rate), nil
}

// memory is a [Journal] that ends with the process.
type memory struct {
	mu     sync.Mutex
	counts map[string]Count
}

func (m *memory) Read(_ context.Context, name string) (Count, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[name], nil
}

func (m *memory) Update(_ context.Context, name string, change func(*Count)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.counts[name]
	change(&c)
	m.counts[name] = c
	return nil
}
