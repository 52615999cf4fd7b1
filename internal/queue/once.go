package queue

import (
	"context"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"time"
)

const (
	// rememberFor is how long a repeated message is recognized.
	rememberFor = 24 * time.Hour

	// identityPurpose is a purpose of the root secret. An ID appears in logs and at the
	// receiver, and must not reveal what a message is about.
	identityPurpose = "queue/identity"
	idChars         = 26 // as those of newID
)

// ErrFull means that the queue has no room for a message.
var ErrFull = errors.New("the queue is full")

// Add puts a message into the queue, and returns once it is stored as durably as the store
// can. identity is a name given by the sender: messages with the same identity are added once
// within 24 hours, and added is false for a repetition. Messages with the same key, such as a
// user, are delivered in order. After an error the message may or may not be stored: repeat it.
// Errors: [ErrFull], [ErrNoRoute], those of the store.
func (q *Queue) Add(ctx context.Context, key, identity, payload []byte) (added bool, err error) {
	route := q.route()
	if route == nil {
		return false, ErrNoRoute
	}
	e := q.entry(route, key, payload)
	e.ID = q.identified(route, identity)
	sealed, err := q.sealed(incoming{e, route})
	if err != nil {
		return false, err
	}
	added, err = q.cfg.Store.AppendOnce(ctx, sealed, rememberFor)
	switch {
	case errors.Is(err, ErrFull):
		q.cfg.Observe(Dropped, 1)
	case added:
		q.cfg.Observe(Queued, 1)
		q.notify()
	}
	return added, err
}

// ID returns the ID of a message that [Queue.Add] added with an identity, as long as the root
// secret is the same; "" if there is no route.
func (q *Queue) ID(identity []byte) string {
	route := q.route()
	if route == nil {
		return ""
	}
	return q.identified(route, identity)
}

func (q *Queue) identified(route *Route, identity []byte) string {
	id := route.Box.MAC(identityPurpose, append([]byte(q.cfg.Name+"\x00"), identity...))
	return base32.StdEncoding.EncodeToString(id)[:idChars]
}

// entry returns a new entry, with a plain payload, for a route.
func (q *Queue) entry(route *Route, key, payload []byte) *Entry {
	// After a change of the root secret, a user has a different order.
	order := hex.EncodeToString(route.Box.MAC(orderPurpose, key)[:orderBytes])
	return &Entry{ID: newID(), Order: order, Payload: payload, Enqueued: time.Now()}
}

// AppendOnce implements [Store].
func (l *Local) AppendOnce(ctx context.Context, e *Entry, within time.Duration) (added bool, err error) {
	if err := l.lock(ctx); err != nil {
		return false, err
	}
	defer l.mu.Unlock()
	now := time.Now()
	if l.byID[e.ID] != nil || l.dead[e.ID] != nil || l.seen.has(e.ID, now.Add(-within)) {
		return false, nil
	}
	fresh, _ := l.place([]*Entry{e})
	if len(fresh) == 0 {
		return false, ErrFull
	}
	remembered := Seen{ID: e.ID, At: now}
	changes := []Change{{Seq: fresh[0].Seq, Entry: fresh[0]}, {Remember: &remembered}}
	old := l.seen.surplus(now.Add(-within), l.limits.Seen)
	for _, s := range old {
		changes = append(changes, Change{Forget: &s})
	}
	if err := l.write(ctx, changes...); err != nil {
		return false, err
	}
	l.insert(fresh[0])
	l.seen.forget(len(old))
	l.seen.remember(remembered)
	return true, nil
}

// Seen is an ID that [Store.AppendOnce] remembers, with the time of its addition.
type Seen struct {
	ID string
	At time.Time
}

// seen are the remembered IDs, oldest first.
type seen struct {
	ids []Seen
	at  map[string]time.Time // for each ID the newest
}

// forgetAtOnce bounds how many IDs the store forgets with one entry. More IDs are forgotten than
// added, so no ID stays for long.
const forgetAtOnce = 16

// has reports whether the ID was remembered after a given time.
func (s *seen) has(id string, after time.Time) bool {
	at, ok := s.at[id]
	return ok && at.After(after)
}

// until returns the IDs that were remembered until a given time.
func (s *seen) until(until time.Time) []Seen {
	n := 0
	for n < len(s.ids) && !s.ids[n].At.After(until) {
		n++
	}
	return s.ids[:n:n]
}

// surplus returns the IDs to forget before one more is remembered: some that were remembered
// until a given time, and those that exceed most.
func (s *seen) surplus(until time.Time, most int) []Seen {
	n := min(len(s.until(until)), forgetAtOnce)
	n = max(n, min(len(s.ids), len(s.ids)+1-most))
	return s.ids[:n:n]
}

// forget drops the n oldest IDs.
func (s *seen) forget(n int) {
	for _, old := range s.ids[:n] {
		if s.at[old.ID].Equal(old.At) {
			delete(s.at, old.ID)
		}
	}
	s.ids = s.ids[n:]
}

func (s *seen) remember(one Seen) {
	s.ids = append(s.ids, one)
	s.at[one.ID] = one.At
}
