package push

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/seal"
)

const (
	// keepReply is how long a reply is kept for the repeats of its message: WeChat sends it
	// three times within 15 s.
	keepReply = 30 * time.Second

	// maxReplies bounds the replies that are kept in memory, at most 32 KiB each. A repeat of
	// a message whose reply was dropped for another gets a plain success.
	maxReplies = 1024

	// askEvery is how often a machine asks the store for a reply to another machine.
	askEvery = 100 * time.Millisecond

	// shareWithin bounds the time to store a reply for other machines, and to read one: WeChat
	// waits.
	shareWithin = time.Second

	// replyPurpose is a use of the root secret.
	replyPurpose = "push/reply"
)

// Shared stores sealed replies for all machines.
type Shared interface {
	// Keep stores a reply with an ID for a time, unless there already is one.
	Keep(ctx context.Context, id string, sealed []byte, life time.Duration) error
	// Kept returns the reply of an ID; nil if there is none.
	Kept(ctx context.Context, id string) ([]byte, error)
}

// Replies has the replies of a service to messages, for which WeChat waits. Any machine may
// deliver a message, and WeChat may repeat it to any machine: with shared, all machines find
// its reply. It is safe for concurrent use.
type Replies struct {
	box    *seal.Box
	shared Shared // nil if no other machine delivers

	mu    sync.Mutex
	known map[string]*reply
	order []*reply // the oldest first
}

// reply is a reply, or a wait for one.
type reply struct {
	id   string
	made time.Time
	done chan struct{} // closed once text is set
	text []byte
}

// NewReplies returns an empty Replies.
func NewReplies(box *seal.Box, shared Shared) *Replies {
	return &Replies{box: box, shared: shared, known: map[string]*reply{}}
}

// put sets the reply to a message. The first one counts.
func (r *Replies) put(ctx context.Context, id string, text []byte) {
	r.settle(id, text)
	if r.shared == nil {
		return
	}
	sealed, err := r.box.Seal(replyPurpose, text, []byte(id))
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, shareWithin)
	defer cancel()
	// Ignore the error: the message was delivered. If another machine waits for the reply and
	// does not get it, it counts a late reply.
	_ = r.shared.Keep(ctx, id, sealed, keepReply)
}

// settle sets a reply on this machine.
func (r *Replies) settle(id string, text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := r.find(id)
	select {
	case <-found.done:
	default:
		found.text = text
		close(found.done)
	}
}

// find returns the reply of a message, with or without its text. It is called with r.mu held.
func (r *Replies) find(id string) *reply {
	now := time.Now()
	n := max(0, len(r.order)-maxReplies+1)
	for n < len(r.order) && now.Sub(r.order[n].made) > keepReply {
		n++
	}
	for _, old := range r.order[:n] {
		delete(r.known, old.id)
	}
	r.order = slices.Delete(r.order, 0, n)
	found := r.known[id]
	if found == nil {
		found = &reply{id: id, made: now, done: make(chan struct{})}
		r.known[id] = found
		r.order = append(r.order, found)
	}
	return found
}

// wait returns the reply to a message, or false if there is none when ctx ends.
func (r *Replies) wait(ctx context.Context, id string) ([]byte, bool) {
	r.mu.Lock()
	found := r.find(id)
	r.mu.Unlock()
	next := time.NewTicker(askEvery)
	defer next.Stop()
	for {
		select {
		case <-found.done:
			return found.text, true
		case <-ctx.Done():
			return nil, false
		case <-next.C:
			r.ask(ctx, id)
		}
	}
}

// ask gets the reply of another machine. It retries after a failure.
func (r *Replies) ask(ctx context.Context, id string) {
	if r.shared == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, shareWithin)
	defer cancel()
	sealed, err := r.shared.Kept(ctx, id)
	if err != nil || sealed == nil {
		return
	}
	if text, err := r.box.Open(replyPurpose, sealed, []byte(id)); err == nil {
		r.settle(id, text)
	}
}
