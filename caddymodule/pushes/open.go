package pushes

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/caddymodule/queues"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/push"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token"
)

// Kind is the kind of the queues of messages that are forwarded.
const Kind = "push"

// Limits bound the messages of one forward. WeChat repeats a message within 15 s, and what it
// signed more than five minutes ago is refused: the IDs of a busy day need not all be
// remembered.
var Limits = queue.Limits{Entries: 10_000, Bytes: 64 << 20, Dead: 1000, Seen: 100_000}

// queueName names the queue of a forward: by what it gets, so that a change of the URL also
// applies to the messages that wait.
func (f *Forward) queueName(app auth.AppID) string {
	parts := append([]string{string(app)}, slices.Sorted(slices.Values(f.Events))...)
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return Kind + "-" + hex.EncodeToString(sum[:8])
}

// Opening is what the queues of a configuration are opened with.
type Opening struct {
	Store  any // its key
	Open   queues.Opener
	Box    *seal.Box
	Tokens *token.Tokens
	Logger *zap.Logger
	Send   bool // false for a configuration that is gone
}

// Acquire opens the forward of an app and appends the functions that release it.
func (f *Forward) Acquire(app auth.AppID, o *Opening, releases *[]func() error) (*push.Forward, error) {
	spec := queues.Spec{Kind: Kind, Name: f.queueName(app), Limits: Limits}
	q, release, err := queues.Acquire(o.Store, spec, o.Open, o.Logger.With(zap.String("app", string(app))))
	if err != nil {
		return nil, err
	}
	*releases = append(*releases, release)
	if o.Send {
		service := push.NewService(f.url, o.Tokens)
		stop := q.Use(&queue.Route{Box: o.Box, Send: service.Send, To: f.to})
		*releases = append(*releases, func() error {
			stop()
			service.Close()
			return nil
		})
	}
	return &push.Forward{App: app, Events: f.Events, Queue: q}, nil
}
