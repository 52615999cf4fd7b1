// Package queues runs the queues of the process, which outlive a reload.
package queues

import (
	"context"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/queue"
)

// Spec describes a queue.
type Spec struct {
	Kind   string // the kind of the messages, in metrics and logs
	Name   string // the name of the queue in its store
	Limits queue.Limits
}

// Opener opens a queue in a store.
type Opener func(name string, limits queue.Limits) queue.Store

// pool has the running queues, poolKey → *running.
var pool = caddy.NewUsagePool()

// poolKey identifies a queue by its store and its name there.
type poolKey struct {
	store any
	name  string
}

// running is a queue and the goroutines that deliver it.
type running struct {
	queue *queue.Queue
	stop  context.CancelFunc
	done  chan struct{}
}

// Acquire returns a queue in the store that key names, and starts it if it does not run. The
// caller calls release once, before the store is closed.
func Acquire(key any, spec Spec, open Opener, logger *zap.Logger) (q *queue.Queue, release func() error, err error) {
	at := poolKey{key, spec.Name}
	value, _, err := pool.LoadOrNew(at, func() (caddy.Destructor, error) {
		return start(spec, open(spec.Name, spec.Limits), logger), nil
	})
	if err != nil {
		return nil, nil, err
	}
	release = func() error {
		_, err := pool.Delete(at)
		return err
	}
	return value.(*running).queue, release, nil
}

func start(spec Spec, store queue.Store, logger *zap.Logger) *running {
	r := &running{done: make(chan struct{}), queue: queue.New(queue.Config{
		Kind: spec.Kind, Name: spec.Name, Store: store, Logger: logger,
		Observe: func(outcome queue.Outcome, n int) { metrics.ObserveQueue(spec.Kind, string(outcome), n) },
	})}
	// Not a child of a configuration's context: the queue outlives the one that opened it.
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	go func() {
		defer close(r.done)
		r.queue.Run(ctx)
	}()
	return r
}

// Destruct stops the goroutines.
func (r *running) Destruct() error {
	r.stop()
	<-r.done
	return nil
}

// Report adds the queues to the state of the process.
func Report(state *metrics.State) {
	pool.Range(func(_, value any) bool {
		q := value.(*running).queue
		if s, known := q.Sampled(); known {
			state.AddQueue(q.Kind(), metrics.Queue{Entries: s.Entries, Bytes: s.Bytes, Dead: s.Dead, Oldest: s.Oldest})
		}
		return true
	})
}
