package events

import (
	"github.com/wxgate/wxgate/caddymodule/queues"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/secevent"
	"github.com/wxgate/wxgate/internal/token"
)

// Kind is the kind of the queue of events, and its name in a store.
const Kind = "event"

// Limits bound the events that wait: some 8 MiB of a store.
var Limits = queue.Limits{Entries: 10_000, Bytes: 16 << 20, Dead: 1000}

// Spec returns what the queue of events is.
func Spec() queues.Spec { return queues.Spec{Kind: Kind, Name: Kind, Limits: Limits} }

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
