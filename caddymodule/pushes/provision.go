package pushes

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/caddymodule/queues"
	"github.com/wxgate/wxgate/caddymodule/secret"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/push"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
	"github.com/wxgate/wxgate/internal/wechat"
)

// Provision resolves and checks the forwards of an app.
func Provision(forwards []*Forward, repl *caddy.Replacer) error {
	if err := check(forwards); err != nil {
		return fmt.Errorf("forward: %w", err)
	}
	for _, f := range forwards {
		if err := f.resolve(repl); err != nil {
			return fmt.Errorf("forward: the URL %w", err)
		}
	}
	return nil
}

func (f *Forward) resolve(repl *caddy.Replacer) error {
	var err error
	if f.url, err = secret.Resolve(repl, f.URL); err != nil {
		return err
	}
	u, err := wechat.ParseURL(f.url, true)
	if err != nil {
		return errURL
	}
	if len(f.url) > keyring.MaxNameBytes {
		return errLong
	}
	f.to = u.Scheme + "://" + u.Host
	return secret.RefuseCleartext(u)
}

// CheckSigning refuses forwards whose assertions a service could not verify, or could mistake
// for access tokens. alg is the algorithm that signs tokens, and audiences are the audiences of
// access tokens.
func CheckSigning(forwards []*Forward, alg signing.Alg, audiences []string) error {
	for _, f := range forwards {
		if !alg.Public() {
			return errSecret
		}
		if slices.Contains(audiences, f.url) {
			return errors.New("forward: the URL is an audience of access tokens too; give it a separate URL")
		}
	}
	return nil
}

// HasURL reports whether one of the forwards sends to a URL, which is also the audience of its
// assertions.
func HasURL(forwards []*Forward, url string) bool {
	return slices.ContainsFunc(forwards, func(f *Forward) bool { return f.url == url })
}

// Kind is the kind of the queues of forwarded messages.
const Kind = "push"

// Limits bound the messages of one forward. WeChat repeats a message within 15 s, and a message
// that was signed more than five minutes ago is refused, so only recent IDs are remembered.
var Limits = queue.Limits{Entries: 10_000, Bytes: 64 << 20, Dead: 1000, Seen: 100_000}

// queueName returns the name of the queue of a forward. It is derived from the app and the events
// and not from the URL, so that a new URL also applies to the messages that wait.
func (f *Forward) queueName(app auth.AppID) string {
	parts := append([]string{string(app)}, slices.Sorted(slices.Values(f.Events))...)
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return Kind + "-" + hex.EncodeToString(sum[:8])
}

// Opening has what the queues of a configuration need to be opened.
type Opening struct {
	Store  any // the key of the store
	Open   queues.Opener
	Box    *seal.Box
	Tokens *token.Tokens
	Logger *zap.Logger
	Shared push.Shared // keeps replies for all machines; nil if only this machine delivers
	Send   bool        // false for a configuration that was replaced
}

// Acquire opens the forward of an app and appends the functions that release it.
func (f *Forward) Acquire(app auth.AppID, o *Opening, releases *[]func() error) (*push.Forward, error) {
	spec := queues.Spec{Kind: Kind, Name: f.queueName(app), Limits: Limits}
	q, release, err := queues.Acquire(o.Store, spec, o.Open, o.Logger.With(zap.String("app", string(app))))
	if err != nil {
		return nil, err
	}
	*releases = append(*releases, release)
	var replies *push.Replies
	if f.Reply {
		replies = push.NewReplies(o.Box, o.Shared)
	}
	if o.Send {
		service := push.NewService(f.url, o.Tokens, replies)
		stop := q.Use(&queue.Route{Box: o.Box, Send: service.Send, To: f.to})
		*releases = append(*releases, func() error {
			stop()
			service.Close()
			return nil
		})
	}
	return &push.Forward{App: app, Events: f.Events, Queue: q, Replies: replies}, nil
}
