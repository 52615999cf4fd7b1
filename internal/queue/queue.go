package queue

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/seal"
)

// Message is a message that a [Route] sends.
type Message struct {
	ID       string // the same at each attempt
	Payload  []byte
	Enqueued time.Time
}

// Route is how one configuration sends messages of a kind.
type Route struct {
	// Box seals the stored messages.
	Box *seal.Box
	// Send delivers a message. The context has a deadline. A response that is not a
	// success is a [*StatusError]; a message that cannot be sent at all is [ErrRefused].
	// It is nil for a configuration that sends nothing: then nothing is queued or delivered.
	Send func(ctx context.Context, m Message) error
	// Lost returns the message that replaces messages for which there was no room. The first
	// of them was lost at since.
	Lost func(since time.Time) []byte
	// To identifies the receiver for operators. It contains no credential.
	To string
}

// Outcome is the outcome of a message or of an attempt.
type Outcome string

// The outcomes that [Config.Observe] is called with.
const (
	Queued    Outcome = "queued"    // written to the store
	Delivered Outcome = "delivered" // the receiver accepted it
	Retried   Outcome = "retried"   // an attempt failed, and another follows
	Dead      Outcome = "dead"      // it became a dead letter
	Dropped   Outcome = "dropped"   // it found no room
)

// Config configures a [Queue]. Kind, Store and Logger are required.
type Config struct {
	Kind    string // of the messages, for logs
	Name    string // of the queue; sealed payloads are bound to it; default Kind
	Store   Store
	Logger  *zap.Logger
	Observe func(o Outcome, n int) // default: nothing
}

// Queue delivers the messages of one kind from one process. It is safe for concurrent use.
type Queue struct {
	cfg    Config
	intake intake
	wake   chan struct{} // something may be due

	mu      sync.Mutex
	routes  []*Route // of the configurations that use the queue; the last route sends
	failing bool     // the last attempt failed

	sampled atomic.Pointer[Status] // nil if the store could not be read
}

// New returns a queue that delivers nothing until [Queue.Run] and [Queue.Use] are called.
func New(cfg Config) *Queue {
	if cfg.Observe == nil {
		cfg.Observe = func(Outcome, int) {}
	}
	if cfg.Name == "" {
		cfg.Name = cfg.Kind
	}
	return &Queue{cfg: cfg, intake: newIntake(), wake: make(chan struct{}, 1)}
}

// Use makes the queue send by a route until release is called; of several routes, the last one
// counts. A reload therefore takes effect for queued messages too, and a failed reload has no
// effect.
func (q *Queue) Use(r *Route) (release func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.routes = append(q.routes, r)
	q.notify()
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		for i, other := range q.routes {
			if other == r {
				q.routes = append(q.routes[:i:i], q.routes[i+1:]...)
				return
			}
		}
	}
}

// route returns the current route; nil if nothing is sent.
func (q *Queue) route() *Route {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.routes); n > 0 && q.routes[n-1].Send != nil {
		return q.routes[n-1]
	}
	return nil
}

// Kind returns the kind of the messages.
func (q *Queue) Kind() string { return q.cfg.Kind }

// To identifies the receiver; empty if nothing is sent.
func (q *Queue) To() string {
	if r := q.route(); r != nil {
		return r.To
	}
	return ""
}

// Dead returns the dead letters, oldest first. Their payloads are sealed.
func (q *Queue) Dead(ctx context.Context) ([]*Entry, error) { return q.cfg.Store.Dead(ctx) }

// Resend delivers dead letters again: those with the given IDs, or all if there are none. It
// returns how many; there may not be room for all.
func (q *Queue) Resend(ctx context.Context, ids ...string) (resent int, err error) {
	defer q.notify()
	return q.cfg.Store.Resend(ctx, ids...)
}

// notify makes the delivery check for entries that are due.
func (q *Queue) notify() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Run stores and delivers messages until ctx ends. It then stores the messages that were put
// before, if the store allows it within a few seconds; a later process delivers them.
func (q *Queue) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { q.runIntake(ctx) })
	running.Go(func() { q.runPurge(ctx) })
	running.Go(func() { q.runSampling(ctx) })
	q.runDelivery(ctx)
	running.Wait()
}

// purgeEvery is how often expired messages are deleted, an hour early at most.
const purgeEvery = time.Hour

func (q *Queue) runPurge(ctx context.Context) {
	for {
		if err := q.purge(ctx); err != nil && ctx.Err() == nil {
			q.log().Error("deleting expired messages failed", zap.Error(err))
		}
		if !sleep(ctx, nil, purgeEvery) {
			return
		}
	}
}

func (q *Queue) purge(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	return q.cfg.Store.Purge(ctx, time.Now().Add(purgeEvery-keepFor))
}

// log returns the logger with the kind of the queue.
func (q *Queue) log() *zap.Logger { return q.cfg.Logger.With(zap.String("queue", q.cfg.Kind)) }

// sleep waits for d or until wake. It returns false if ctx has ended.
func sleep(ctx context.Context, wake <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
