package session

import (
	"context"
	"sync"
	"time"
)

const (
	// sweepEvery is how often a store is swept. Expired entries are refused at once;
	// sweeping frees their space.
	sweepEvery = time.Minute

	// SweepLimit is how many entries one transaction removes: a login that comes
	// in between waits for milliseconds, not for the whole sweep.
	SweepLimit = 1000
)

// Options configure a store. The zero value is ready to use.
type Options struct {
	Now        func() time.Time // default time.Now; the clock of sweeps
	SweepEvery time.Duration    // default one minute
	// OnError is called with the error of a failed sweep; the next sweep tries again.
	// Default: the error is dropped.
	OnError func(error)
	// Observe is called after every operation of a store that has a disk or a network:
	// op is its name, such as "create", and began when it was called. It must not block.
	// Default: nothing is called.
	Observe func(ctx context.Context, op string, began time.Time, err error)

	// sweepClock is Now, which by default does not run ahead of the monotonic clock.
	sweepClock func() time.Time
}

// WithDefaults returns the options with every unset field at its default.
func (o Options) WithDefaults() Options {
	o.sweepClock = o.Now
	if o.Now == nil {
		o.Now, o.sweepClock = time.Now, newSteadyClock().Now
	}
	if o.SweepEvery <= 0 {
		o.SweepEvery = sweepEvery
	}
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	if o.Observe == nil {
		o.Observe = func(context.Context, string, time.Time, error) {}
	}
	return o
}

// SweepNow returns the time that a sweep uses. The options must have their defaults.
func (o Options) SweepNow() time.Time { return o.sweepClock() }

// Sweeper owns the single goroutine of a store. It starts at most once, and cannot be started
// again after it was stopped.
type Sweeper struct {
	mu      sync.Mutex
	cancel  context.CancelFunc // nil before start
	done    chan struct{}
	stopped bool
}

// Start calls sweep at the given interval, in a goroutine, until Stop.
func (s *Sweeper) Start(every time.Duration, sweep func(context.Context)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil || s.stopped {
		return
	}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				sweep(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
}

// Stop ends the goroutine and waits for it. It may be called more than once.
func (s *Sweeper) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.cancel == nil {
		return
	}
	s.cancel()
	<-s.done
}
