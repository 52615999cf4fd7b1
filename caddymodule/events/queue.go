package events

import (
	"context"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/secevent"
	"github.com/wxgate/wxgate/internal/token"
)

// Kind is the kind of the queue of events.
const Kind = "event"

// Limits bound the events that wait: some 8 MiB of a store.
var Limits = queue.Limits{Entries: 10_000, Bytes: 16 << 20, Dead: 1000}

// queues has the running queues, by store → *running. They outlive a reload.
var queues = caddy.NewUsagePool()

// running is a queue and the goroutines that deliver it.
type running struct {
	queue *queue.Queue
	stop  context.CancelFunc
	done  chan struct{}
}

// Acquire returns the queue over a store, which key names, and starts it if it does not
// run. The caller calls release once, before the store is closed.
func Acquire(key any, store func(kind string, limits queue.Limits) queue.Store, logger *zap.Logger) (q *queue.Queue, release func() error, err error) {
	value, _, err := queues.LoadOrNew(key, func() (caddy.Destructor, error) { return start(store(Kind, Limits), logger), nil })
	if err != nil {
		return nil, nil, err
	}
	release = func() error {
		_, err := queues.Delete(key)
		return err
	}
	return value.(*running).queue, release, nil
}

func start(store queue.Store, logger *zap.Logger) *running {
	r := &running{done: make(chan struct{}), queue: queue.New(queue.Config{
		Kind: Kind, Store: store, Logger: logger,
		Observe: func(outcome queue.Outcome, n int) { metrics.ObserveQueue(Kind, string(outcome), n) },
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

// Report adds the queues to the state of the process.
func Report(state *metrics.State) {
	queues.Range(func(_, value any) bool {
		q := value.(*running).queue
		if s, known := q.Sampled(); known {
			state.AddQueue(q.Kind(), metrics.Queue{Entries: s.Entries, Bytes: s.Bytes, Dead: s.Dead, Oldest: s.Oldest})
		}
		return true
	})
}

// Destruct stops the goroutines.
func (r *running) Destruct() error {
	r.stop()
	<-r.done
	return nil
}

// Use has a queue send as the option says, until release is called. With no option, which
// is nil, the queue rests.
func (c *Config) Use(q *queue.Queue, box *seal.Box, tokens *token.Tokens, issuer string) (release func() error) {
	if c == nil {
		stop := q.Use(new(queue.Route))
		return func() error { stop(); return nil }
	}
	pusher := secevent.NewPusher(secevent.Config{URL: c.url, Bearer: c.bearer, Tokens: tokens, Issuer: issuer})
	stop := q.Use(&queue.Route{Box: box, Send: pusher.Send, Lost: secevent.EncodeLost, To: c.to})
	return func() error {
		stop()
		pusher.Close()
		return nil
	}
}
