package secevent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"

	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/queue/webhook"
	"github.com/wxgate/wxgate/internal/token"
)

// maxReplyBytes bounds the response: only a short error is read.
const maxReplyBytes = 4 << 10

// Config is the receiver of events. All fields are required, except Bearer.
type Config struct {
	URL    string // of the receiver, and the audience of its events
	Bearer string // sent as Authorization: Bearer
	Tokens *token.Tokens
	Issuer string // of the tokens whose users the events name
}

// Pusher sends events to one receiver. It is safe for concurrent use.
type Pusher struct {
	cfg    Config
	sender *webhook.Sender
}

// NewPusher returns a pusher. The caller must close it.
func NewPusher(cfg Config) *Pusher { return &Pusher{cfg: cfg, sender: webhook.New()} }

// Close closes the idle connections.
func (p *Pusher) Close() { p.sender.Close() }

// Send implements the Send of [queue.Route]. Each attempt signs the event again: a receiver
// that was down for hours gets a token that a key of the current JWKS verifies.
func (p *Pusher) Send(ctx context.Context, m queue.Message) error {
	e, err := decode(m.Payload)
	if err != nil {
		return fmt.Errorf("%w: %w", queue.ErrRefused, err)
	}
	signed, err := p.cfg.Tokens.IssueEvent(&token.Event{ID: m.ID, Audience: p.cfg.URL, Subject: e.subject(p.cfg.Issuer), Events: e.events()})
	if errors.Is(err, token.ErrAssertion) {
		return fmt.Errorf("%w: %w", queue.ErrRefused, err)
	}
	if err != nil {
		return err
	}
	return p.push(ctx, signed)
}

// push sends a token.
func (p *Pusher) push(ctx context.Context, signed string) error {
	header := http.Header{"Content-Type": {"application/secevent+jwt"}, "Accept": {"application/json"}}
	if p.cfg.Bearer != "" {
		header.Set("Authorization", "Bearer "+p.cfg.Bearer)
	}
	response, err := p.sender.Post(ctx, webhook.Request{URL: p.cfg.URL, Header: header, Body: []byte(signed), MaxReply: maxReplyBytes})
	if err != nil {
		return err
	}
	return response.Err(errorCode(response))
}

// errorCodes are the error codes of RFC 8935 section 2.4. No other text of a response is
// logged: it may quote the event, and so identify a user.
var errorCodes = []string{"invalid_request", "invalid_key", "invalid_issuer", "invalid_audience", "authentication_failed", "access_denied"}

// errorCode returns the error code in the receiver's response; empty for none.
func errorCode(response *webhook.Response) string {
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind != "application/json" {
		return ""
	}
	var reply struct {
		Err string `json:"err"`
	}
	if json.Unmarshal(response.Body, &reply) != nil || !slices.Contains(errorCodes, reply.Err) {
		return ""
	}
	return reply.Err
}
