// Package push hands the messages that WeChat pushes to services: it stores them in a queue
// before WeChat gets its response, and delivers them from there.
package push

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/wechat/callback"
)

const (
	// storeWithin is how long storing a message may take. WeChat waits five seconds and
	// repeats a message twice: a failure after one second leaves time for both.
	storeWithin = time.Second

	// storing limits how many messages are being stored at the same time, if the disk does not
	// respond. Further messages fail, and WeChat repeats them.
	storing = 64
)

// Forward is a service that gets messages of one app, and its queue.
type Forward struct {
	App auth.AppID
	// Events are the names of events, or types of messages, that the service gets. If empty, it
	// gets all messages that no other forward of the app lists.
	Events []string
	Queue  *queue.Queue
	// Replies are the service's replies, which WeChat gets as passive replies. Nil if WeChat
	// does not get replies.
	Replies *Replies
}

// includes reports whether the service's Events include a message.
func (f *Forward) includes(p *callback.Push) bool {
	if strings.EqualFold(p.MsgType, "event") {
		return slices.Contains(f.Events, p.Name)
	}
	return slices.Contains(f.Events, p.MsgType)
}

// Router finds the service of each message. Make it with [NewRouter], and close it before its
// queues. It is safe for concurrent use.
type Router struct {
	forwards []*Forward
	slots    chan struct{}
	adding   sync.WaitGroup
}

// NewRouter returns a router. Without forwards it does nothing.
func NewRouter(forwards []*Forward) *Router {
	return &Router{forwards: forwards, slots: make(chan struct{}, storing)}
}

// Close waits for the messages that are being stored.
func (r *Router) Close() { r.adding.Wait() }

// Forwards returns the services, in the order of the configuration.
func (r *Router) Forwards() []*Forward { return r.forwards }

// find returns the service of a message; nil if there is none.
func (r *Router) find(p *callback.Push) (found *Forward) {
	for _, f := range r.forwards {
		switch {
		case f.App != p.App:
		case f.includes(p):
			return f
		case len(f.Events) == 0:
			found = f
		}
	}
	return found
}

// Outcome is the result of storing a message.
type Outcome string

// The outcomes of [Router.Store].
const (
	Queued    Outcome = "queued"    // the message is stored for a service
	Duplicate Outcome = "duplicate" // WeChat has sent the message before
	Ignored   Outcome = "ignored"   // no service gets the message
	Failed    Outcome = "failed"    // the message is not stored, or it is unknown whether it is
)

var errSlow = fmt.Errorf("%w: a push was not stored within %v", auth.ErrStoreUnavailable, storeWithin)

// Store puts a message into the queue of its service. Once it returns without an error, the
// message is as durable as the store is, and WeChat may get `success`. Errors wrap
// [auth.ErrStoreUnavailable].
func (r *Router) Store(ctx context.Context, p *callback.Push) (Outcome, error) {
	f := r.find(p)
	if f == nil {
		return Ignored, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return Failed, errSlow
	}
	stored := make(chan result, 1)
	r.adding.Go(func() {
		defer func() { <-r.slots }()
		// A disk that does not respond cannot be interrupted, so WeChat's response does not
		// wait for it.
		added, err := f.Queue.Add(ctx, orderOf(p), identity(p), encode(p))
		stored <- result{added, err}
	})
	select {
	case done := <-stored:
		return done.outcome()
	case <-ctx.Done():
		return Failed, errSlow
	}
}

// result is the result of [queue.Queue.Add].
type result struct {
	added bool
	err   error
}

func (r result) outcome() (Outcome, error) {
	switch {
	case errors.Is(r.err, auth.ErrStoreUnavailable):
		return Failed, r.err
	case r.err != nil:
		return Failed, fmt.Errorf("%w: %w", auth.ErrStoreUnavailable, r.err)
	case !r.added:
		return Duplicate, nil
	}
	return Queued, nil
}

// orderOf returns a key that is the same for all messages of one user, and different for other
// users.
func orderOf(p *callback.Push) []byte { return join(string(p.App), string(p.From)) }

// identity returns an ID that is the same each time that WeChat sends a message, and different
// for any other message: its MsgId or, for events, the hash of its content. Two events within a
// second have different IDs.
func identity(p *callback.Push) []byte {
	if p.MsgID != "" {
		return join("id", string(p.App), p.MsgType, p.Name, p.MsgID)
	}
	sum := sha256.Sum256(p.Message)
	return join("hash", string(p.App), string(sum[:]))
}

// join joins parts with NUL, which WeChat does not use in them.
func join(parts ...string) []byte { return []byte(strings.Join(parts, "\x00")) }
