// Package events has the option events_to, and the queue of the events that it sends.
package events

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/caddymodule/directive"
	"github.com/wxgate/wxgate/caddymodule/queues"
	"github.com/wxgate/wxgate/caddymodule/secret"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/secevent"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/signing"
	"github.com/wxgate/wxgate/internal/wechat"
)

// Config configures a service that gets an event for each session that has ended.
type Config struct {
	// The URL that Security Event Tokens are sent to (RFC 8935). It is also their `aud`.
	// https, or http on loopback and private addresses; a placeholder such as `{env.X}` is
	// allowed. Required.
	URL string `json:"url"`

	// Sent as `Authorization: Bearer`, as a placeholder such as `{env.X}`. Default: none;
	// the receiver knows the gateway by the signature alone.
	Bearer string `json:"bearer,omitempty"`

	url, bearer string // resolved
	to          string // scheme and host of url
}

// Parse reads what follows events_to:
//
//	events_to <url> {
//	    bearer <value>
//	}
func (c *Config) Parse(d *caddyfile.Dispenser) error {
	if err := directive.One(d, &c.URL)(); err != nil {
		return err
	}
	return directive.Block{Dispenser: d, Options: map[string]func() error{
		"bearer": directive.One(d, &c.Bearer),
	}}.Parse()
}

var (
	errURL    = errors.New("must be a URL such as https://orders.example.com/events, without credentials; the credential belongs in bearer")
	errSecret = errors.New("events_to needs signatures that the receiver can check: alg HS256 is a shared secret, with which it could also sign; set alg to EdDSA or ES256")
	errName   = errors.New("is an audience of access tokens too; give it a separate URL")
	errBearer = errors.New("has characters that no bearer token has")
)

// bearerToken is the syntax of RFC 6750 section 2.1. Other characters could end the header
// and begin another.
var bearerToken = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// Provision resolves and checks the option. alg is the algorithm that signs tokens, and
// audiences are the audiences of access tokens.
func (c *Config) Provision(repl *caddy.Replacer, logger *zap.Logger, alg signing.Alg, audiences []string) error {
	if !alg.Public() {
		return errSecret
	}
	if err := c.resolve(repl, logger); err != nil {
		return fmt.Errorf("events_to: %w", err)
	}
	if slices.Contains(audiences, c.url) {
		return fmt.Errorf("events_to: the URL %w", errName)
	}
	return nil
}

func (c *Config) resolve(repl *caddy.Replacer, logger *zap.Logger) error {
	var err error
	if c.url, err = secret.Resolve(repl, c.URL); err != nil {
		return fmt.Errorf("the URL %w", err)
	}
	u, err := wechat.ParseURL(c.url, true)
	if err != nil {
		return fmt.Errorf("the URL %w", errURL)
	}
	if err := secret.RefuseCleartext(u); err != nil {
		return fmt.Errorf("the URL %w", err)
	}
	c.to = u.Scheme + "://" + u.Host
	c.bearer = ""
	if c.Bearer == "" {
		return nil
	}
	if c.bearer, err = secret.Resolve(repl, c.Bearer); err != nil {
		return fmt.Errorf("bearer %w", err)
	}
	if !bearerToken.MatchString(c.bearer) {
		return fmt.Errorf("bearer %w", errBearer)
	}
	secret.WarnOfLiteral(logger, "the bearer token of events_to", c.Bearer)
	return nil
}

// Kind is the kind of the queue of events, and its name in a store.
const Kind = "event"

// Limits bound the events that wait in the queue; a full one takes some 8 MiB of a store.
var Limits = queue.Limits{Entries: 10_000, Bytes: 16 << 20, Dead: 1000}

// Spec describes the queue of events.
func Spec() queues.Spec { return queues.Spec{Kind: Kind, Name: Kind, Limits: Limits} }

// Use makes a queue send to the configured URL until release is called. If c is nil, the
// queue sends nothing.
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
