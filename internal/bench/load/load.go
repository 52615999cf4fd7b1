package load

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Caller makes the requests of one connection and checks the responses to them. It is used
// by one goroutine.
type Caller interface {
	// Append appends the next request to buf, in the form of HTTP/1.1.
	Append(buf []byte) ([]byte, error)
	// Check returns an error if the response to that request is wrong.
	Check(status int, body []byte) error
}

// Config describes the load of a server.
type Config struct {
	Address string   // host and port
	Callers []Caller // one for each connection
	// Rate is how many requests start per second, over all connections. A request that
	// starts late, because all connections wait, counts from when it should have
	// started. Default: each connection starts the next request at once.
	Rate float64
	// Timeout is how long the load may take altogether.
	Timeout time.Duration
}

// Load is a running load. It is measured from [Load.Measure] on.
type Load struct {
	cfg     Config
	began   time.Time
	started atomic.Int64 // requests, with a rate
	phase   atomic.Int32
	stopped chan struct{}
	cancel  context.CancelFunc
	calling sync.WaitGroup

	measuredFrom, measuredTo time.Time

	mu        sync.Mutex // guards the fields below
	latencies []time.Duration
	err       error
	failed    chan struct{} // closed with the first error
}

// The phases of a load.
const (
	warming int32 = iota
	measuring
	stopping
)

// Result is the result of a measurement.
type Result struct {
	Operations int
	Elapsed    time.Duration
	Latencies  []time.Duration // sorted
}

// Quantile returns a latency such as that of 99 % (0.99) of the requests; 0 without any.
func (r Result) Quantile(q float64) time.Duration {
	if len(r.Latencies) == 0 {
		return 0
	}
	return r.Latencies[int(q*float64(len(r.Latencies)-1))]
}

// Start starts a load. [Load.Wait] must be called.
func Start(ctx context.Context, cfg Config) *Load {
	l := &Load{cfg: cfg, began: time.Now(), stopped: make(chan struct{}), failed: make(chan struct{})}
	ctx, l.cancel = context.WithTimeout(ctx, cfg.Timeout)
	for _, caller := range cfg.Callers {
		l.calling.Go(func() {
			latencies, err := l.call(ctx, caller)
			l.note(latencies, err)
		})
	}
	return l
}

// Measure begins the measured part.
func (l *Load) Measure() {
	l.measuredFrom = time.Now()
	l.phase.Store(measuring)
}

// Stop ends the measured part. Requests that are still running are not counted.
func (l *Load) Stop() {
	l.measuredTo = time.Now()
	l.phase.Store(stopping)
	close(l.stopped)
}

// Failed is closed when a request has failed. Call [Load.Stop] and [Load.Wait] then.
func (l *Load) Failed() <-chan struct{} { return l.failed }

// Wait waits for running requests.
func (l *Load) Wait() (Result, error) {
	l.calling.Wait()
	l.cancel()
	if l.err != nil {
		return Result{}, l.err
	}
	slices.Sort(l.latencies)
	return Result{Operations: len(l.latencies), Elapsed: l.measuredTo.Sub(l.measuredFrom), Latencies: l.latencies}, nil
}

// note adds the measurements of one connection. The first error ends all connections.
func (l *Load) note(latencies []time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latencies = append(l.latencies, latencies...)
	if err != nil && l.err == nil {
		l.err = err
		close(l.failed)
		l.cancel()
	}
}

// call sends the requests of one caller until the load is stopped.
func (l *Load) call(ctx context.Context, caller Caller) ([]time.Duration, error) {
	c := &client{address: l.cfg.Address}
	defer c.close()
	var latencies []time.Duration
	for l.phase.Load() != stopping {
		begin, ok := l.turn(ctx)
		if !ok {
			break
		}
		if err := c.do(ctx, caller); err != nil {
			return nil, fmt.Errorf("calling %s: %w", l.cfg.Address, err)
		}
		if l.phase.Load() == measuring {
			latencies = append(latencies, time.Since(begin))
		}
	}
	return latencies, nil
}

// turn waits until the next request is due and returns the due time.
func (l *Load) turn(ctx context.Context) (time.Time, bool) {
	if l.cfg.Rate == 0 {
		return time.Now(), true
	}
	due := l.began.Add(time.Duration(float64(l.started.Add(1)-1) / l.cfg.Rate * float64(time.Second)))
	wait := time.NewTimer(time.Until(due))
	defer wait.Stop()
	select {
	case <-wait.C:
		return due, true
	case <-l.stopped:
	case <-ctx.Done():
	}
	return due, false
}
