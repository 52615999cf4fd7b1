package queue

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/seal"
)

const (
	// intakeEntries and intakeBytes bound the messages that wait in memory to be stored, if a
	// store does not respond for a while.
	intakeEntries = 4096
	intakeBytes   = 4 << 20 // 4 MiB

	// batch is how many messages are stored in one step. It bounds how long a login waits for
	// the disk because of a batch.
	batch = 256

	// storeTime bounds one call of the store.
	storeTime = 5 * time.Second

	// storeRetry is how long to wait after the store failed.
	storeRetry = time.Second

	// orderPurpose and payloadPurpose are the purposes for which the root secret is used.
	orderPurpose   = "queue/order"
	payloadPurpose = "queue/payload"
	orderBytes     = 16 // of the hash: enough to be unique for each user
)

// incoming is a message that is not stored yet. It is stored with the route that it was put
// with, since that route may be released by then.
type incoming struct {
	*Entry // with a plain payload
	route  *Route
}

// intake has the messages that are not stored yet.
type intake struct {
	wake chan struct{}

	mu      sync.Mutex
	waiting []incoming
	bytes   int64
	lost    *incoming // the first message lost since the last mark was stored; nil if there is none
}

func newIntake() intake { return intake{wake: make(chan struct{}, 1)} }

// Put puts a message into the queue. Messages with the same key, such as a user, are delivered
// in order. Put never waits. If there is no room, the message is dropped and counted, and
// receivers get the message of [Route.Lost].
func (q *Queue) Put(key, payload []byte) {
	route := q.route()
	if route == nil {
		return
	}
	if !q.intake.add(incoming{q.entry(route, key, payload), route}) {
		q.cfg.Observe(Dropped, 1)
	}
}

func (in *intake) add(e incoming) (added bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if added = len(in.waiting) < intakeEntries && in.bytes+e.Size() <= intakeBytes; added {
		in.waiting = append(in.waiting, e)
		in.bytes += e.Size()
	} else if in.lost == nil {
		in.lost = &e
	}
	select {
	case in.wake <- struct{}{}:
	default:
	}
	return added
}

// head returns the messages to store next.
func (in *intake) head() []incoming {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := min(len(in.waiting), batch)
	return in.waiting[:n:n]
}

// drop removes messages from the head that were stored or lost.
func (in *intake) drop(entries []incoming, lost bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, e := range entries {
		in.bytes -= e.Size()
	}
	if in.waiting = in.waiting[len(entries):]; len(in.waiting) == 0 {
		in.waiting = nil
	}
	if lost && in.lost == nil {
		in.lost = &entries[0]
	}
}

// takeLost returns the first lost message, and forgets it; nil if there is none.
func (in *intake) takeLost() *incoming {
	in.mu.Lock()
	defer in.mu.Unlock()
	lost := in.lost
	in.lost = nil
	return lost
}

func (in *intake) returnLost(lost *incoming) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.lost = lost
}

// runIntake stores incoming messages until ctx ends.
func (q *Queue) runIntake(ctx context.Context) {
	failed := false
	for running := true; running; {
		err := q.store(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			q.log().Error("storing messages failed; they wait in memory", zap.Error(err))
		}
		if failed = err != nil; failed {
			running = sleep(ctx, nil, storeRetry)
		} else {
			running = waitFor(ctx, q.intake.wake)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	if err := q.store(last); err != nil {
		q.log().Error("messages were lost with the process, because storing them failed", zap.Error(err))
	}
}

func waitFor(ctx context.Context, wake <-chan struct{}) bool {
	select {
	case <-wake:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// store stores all waiting messages.
func (q *Queue) store(ctx context.Context) error {
	for {
		head := q.intake.head()
		if len(head) == 0 {
			return q.storeLost(ctx)
		}
		added, err := q.append(ctx, head)
		if err != nil {
			return err
		}
		q.cfg.Observe(Queued, added)
		q.intake.drop(head[:added], false)
		if lost := head[added:]; len(lost) > 0 {
			q.cfg.Observe(Dropped, len(lost))
			q.intake.drop(lost, true)
		}
		q.notify()
	}
}

// append stores entries with their payloads sealed.
func (q *Queue) append(ctx context.Context, entries []incoming) (added int, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	sealed := make([]*Entry, len(entries))
	for i, e := range entries {
		if sealed[i], err = q.sealed(e); err != nil {
			return 0, err
		}
	}
	return q.cfg.Store.Append(ctx, sealed)
}

// storeLost stores the message that replaces lost ones.
func (q *Queue) storeLost(ctx context.Context) error {
	lost := q.intake.takeLost()
	if lost == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	since := lost.Enqueued
	mark := &Entry{ID: newID(), Order: orderLost, Payload: lost.route.Lost(since), Enqueued: time.Now()}
	e, err := q.sealed(incoming{mark, lost.route})
	if err == nil {
		err = q.cfg.Store.Mark(ctx, e)
	}
	if err != nil {
		q.intake.returnLost(lost)
		return err
	}
	q.log().Error("messages were lost because the queue is full", zap.Time("since", since))
	q.notify()
	return nil
}

// sealed returns the entry with its payload sealed.
func (q *Queue) sealed(e incoming) (*Entry, error) {
	kept := *e.Entry
	var err error
	kept.Payload, err = e.route.Box.Seal(payloadPurpose, e.Payload, q.bound(e.Entry))
	return &kept, err
}

// open returns the payload of an entry.
func (q *Queue) open(box *seal.Box, e *Entry) ([]byte, error) {
	return box.Open(payloadPurpose, e.Payload, q.bound(e))
}

// bound returns what a payload is bound to: it cannot be opened in another entry.
func (q *Queue) bound(e *Entry) []byte { return []byte(q.cfg.Name + "\x00" + e.ID) }
