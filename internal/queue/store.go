package queue

import (
	"context"
	"time"
)

// Store keeps the entries of one kind. What a method wrote is durable when it returns nil,
// as far as the store is durable at all. Stores are safe for concurrent use, by several
// machines if the machines share the store.
//
// An entry that was claimed belongs to its claimer until the lease ends. Done, Retry and
// Bury of an entry that another has claimed since do nothing.
type Store interface {
	// Append adds entries behind all others, until one does not fit into the limits, and
	// returns how many it added. An entry that is queued already counts as added.
	Append(ctx context.Context, entries []*Entry) (added int, err error)
	// AppendOnce adds an entry behind all others, and remembers its ID in the same step. It
	// does nothing if it added an entry with that ID less than within ago, or the store has
	// one. It returns [ErrFull] if the entry does not fit; the ID is not remembered then.
	AppendOnce(ctx context.Context, e *Entry, within time.Duration) (added bool, err error)
	// Mark adds an entry that takes the place of entries that did not fit. It ignores the
	// limits, and does nothing if there is such an entry that was not attempted yet.
	Mark(ctx context.Context, e *Entry) error
	// Claim returns the first entry of an order that is due, and gives the caller the
	// order for the time of lease. If no order is due, the entry is nil, and wait is when
	// to ask again, unless this process adds or settles an entry before.
	Claim(ctx context.Context, lease time.Duration) (e *Entry, wait time.Duration, err error)
	// Done removes an entry that was delivered.
	Done(ctx context.Context, e *Entry) error
	// Retry returns an entry to the queue until e.Next, in an order that may be another
	// than e.Order.
	Retry(ctx context.Context, e *Entry, order string) error
	// Bury makes an entry a dead letter.
	Bury(ctx context.Context, e *Entry) error
	// Dead returns the dead letters, oldest first.
	Dead(ctx context.Context) ([]*Entry, error)
	// Resend returns dead letters to the queue as if they were new, as many as the
	// limits allow: those with the IDs, or all without any. It returns how many.
	Resend(ctx context.Context, ids ...string) (resent int, err error)
	// Purge deletes what was put into the queue until a time, dead letters too.
	Purge(ctx context.Context, until time.Time) error
	// Status returns what the store keeps.
	Status(ctx context.Context) (Status, error)
}

// Status is the size of a queue.
type Status struct {
	Entries int
	Bytes   int64
	Oldest  time.Time // when the oldest entry was put into the queue; zero without any
	Dead    int
}
