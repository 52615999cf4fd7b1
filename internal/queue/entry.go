package queue

import (
	"crypto/rand"
	"strings"
	"time"
)

// Entry is one message in a [Store].
type Entry struct {
	// ID identifies the message at each attempt, so that receivers can drop duplicates: 26
	// letters and digits.
	ID string `json:"id"`
	// Seq is the place in the queue. The store assigns it.
	Seq uint64 `json:"-"`
	// Order groups entries that must be delivered one after another: the keyed hash of a user.
	Order string `json:"order"`
	// Payload is sealed.
	Payload []byte `json:"payload"`
	// Enqueued is when the message was put into the queue.
	Enqueued time.Time `json:"enqueued"`
	// Attempts is how often a delivery was begun, including this attempt.
	Attempts int `json:"attempts,omitzero"`
	// Started is when the first attempt began; zero before. It is reset for a resent message.
	Started time.Time `json:"started,omitzero"`
	// Next is when the next attempt is due; zero if it is due at once.
	Next time.Time `json:"next,omitzero"`
	// Reason is why the last attempt failed, in a few words that do not name a user.
	Reason string `json:"reason,omitempty"`
}

// entryOverhead is the size of an entry without its payload, in bytes: JSON and indexes.
const entryOverhead = 512

// Size is the size of the entry as counted by [Limits], in bytes.
func (e *Entry) Size() int64 { return int64(len(e.Payload)) + entryOverhead }

// orderLost is the order of messages that replace lost ones.
const orderLost = "lost"

// aside returns the order of an entry that others of its order may overtake.
func (e *Entry) aside() string {
	if own := "/" + e.ID; !strings.HasSuffix(e.Order, own) {
		return e.Order + own
	}
	return e.Order
}

// Limits bound what a store keeps of one kind of messages.
type Limits struct {
	Entries int   // that wait for delivery
	Bytes   int64 // of these entries
	Dead    int   // dead letters; a new one replaces the oldest
	Seen    int   // IDs that AppendOnce remembers; a new one replaces the oldest
}

// newID returns an ID that is never used twice.
func newID() string { return rand.Text() }
