package queue

import (
	"context"
	"time"
)

// Store keeps the entries of one kind. When a method returns nil, its changes are as durable as
// the store. Stores are safe for concurrent use, by several machines if they share the store.
//
// A claimed entry belongs to its claimer until the lease ends. Done, Retry and Bury do nothing if
// the entry was claimed again since.
type Store interface {
	// Append adds entries behind all others, until one does not fit into the limits, and
	// returns how many it added. An entry that is already queued counts as added.
	Append(ctx context.Context, entries []*Entry) (added int, err error)
	// AppendOnce adds an entry behind all others, and remembers its ID in the same step. It
	// does nothing if it added an entry with this ID less than within ago, or if the store
	// has such an entry. It returns [ErrFull] if the entry does not fit; it then does not
	// remember the ID.
	AppendOnce(ctx context.Context, e *Entry, within time.Duration) (added bool, err error)
	// Mark adds an entry that replaces entries that did not fit. It ignores the limits, and
	// does nothing if there is such an entry that was not attempted yet.
	Mark(ctx context.Context, e *Entry) error
	// Claim returns the first entry of an order that is due, and reserves the order for the
	// caller for the duration of lease. If no order is due, the entry is nil, and wait is
	// the time until the next call, unless this process adds or settles an entry before.
	Claim(ctx context.Context, lease time.Duration) (e *Entry, wait time.Duration, err error)
	// Done removes an entry that was delivered.
	Done(ctx context.Context, e *Entry) error
	// Retry returns an entry to the queue until e.Next, in an order that may differ from
	// e.Order.
	Retry(ctx context.Context, e *Entry, order string) error
	// Bury makes an entry a dead letter.
	Bury(ctx context.Context, e *Entry) error
	// Dead returns the dead letters, oldest first.
	Dead(ctx context.Context) ([]*Entry, error)
	// Resend returns dead letters to the queue as new entries, as many as the limits allow:
	// those with the given IDs, or all if there are none. It returns how many.
	Resend(ctx context.Context, ids ...string) (resent int, err error)
	// Purge deletes entries that were put until a given time, including dead letters.
	Purge(ctx context.Context, until time.Time) error
	// Status returns what the store keeps.
	Status(ctx context.Context) (Status, error)
}

// Status is the size of a queue.
type Status struct {
	Entries int
	Bytes   int64
	Oldest  time.Time // when the oldest entry was put into the queue; zero if there is none
	Dead    int
}
