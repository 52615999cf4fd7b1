package queue

import (
	"crypto/rand"
	"strings"
	"time"
)

// Entry is one message in a [Store].
type Entry struct {
	// ID names the message at each attempt, so that receivers can drop duplicates: 26
	// letters and digits.
	ID string `json:"id"`
	// Seq is the place in the queue. The store assigns it.
	Seq uint64 `json:"-"`
	// Order is what must be delivered one after another: the keyed hash of a user.
	Order string `json:"order"`
	// Payload is sealed.
	Payload []byte `json:"payload"`
	// Enqueued is when the message was put into the queue.
	Enqueued time.Time `json:"enqueued"`
	// Attempts is how often delivery was begun, this attempt included.
	Attempts int `json:"attempts,omitzero"`
	// Started is when the first attempt began; zero before. A resent message begins again.
	Started time.Time `json:"started,omitzero"`
	// Next is when the next attempt is due; zero for at once.
	Next time.Time `json:"next,omitzero"`
	// Reason is why the last attempt failed, in a few words that name no user.
	Reason string `json:"reason,omitempty"`
}

// entryOverhead is what an entry takes beside its payload, in bytes: JSON and indexes.
const entryOverhead = 512

// Size is what the entry counts against [Limits], in bytes.
func (e *Entry) Size() int64 { return int64(len(e.Payload)) + entryOverhead }

// orderLost is the order of the messages that take the place of lost ones.
const orderLost = "lost"

// aside is the order of an entry that others of its order may overtake.
func (e *Entry) aside() string {
	if own := "/" + e.ID; !strings.HasSuffix(e.Order, own) {
		return e.Order + own
	}
	return e.Order
}

// Limits bound what a store keeps of one kind.
type Limits struct {
	Entries int   // that wait for their delivery
	Bytes   int64 // of those
	Dead    int   // dead letters; a new one replaces the oldest
	Seen    int   // IDs that AppendOnce remembers; a new one replaces the oldest
}

// newID returns an ID that is never used twice.
func newID() string { return rand.Text() }
