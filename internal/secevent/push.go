package secevent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/token"
)

const (
	// dialTime and handshakeTime bound connecting, within the ten seconds of an attempt.
	dialTime      = 3 * time.Second
	handshakeTime = 3 * time.Second
	// idleTime is how long an unused connection stays open, well under the minute after
	// which common servers close it.
	idleTime = 20 * time.Second
	// idleConns is as many as there are attempts at once.
	idleConns = 8
	// maxReplyBytes bounds the response, of which only a short error is read.
	maxReplyBytes  = 4 << 10
	maxHeaderBytes = 16 << 10
)

// Config is the receiver of events. All fields are required, except Bearer.
type Config struct {
	URL    string // of the receiver, and the audience of its events
	Bearer string // sent as Authorization: Bearer
	Tokens *token.Tokens
	Issuer string // of the tokens whose users the events name
}

// Pusher sends events to one receiver. It is safe for concurrent use.
type Pusher struct {
	cfg       Config
	transport *http.Transport
}

// NewPusher returns a pusher. Close it.
func NewPusher(cfg Config) *Pusher {
	return &Pusher{cfg: cfg, transport: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTime}).DialContext,
		TLSHandshakeTimeout:    handshakeTime,
		IdleConnTimeout:        idleTime,
		MaxIdleConnsPerHost:    idleConns,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ForceAttemptHTTP2:      true,
	}}
}

// Close closes the idle connections.
func (p *Pusher) Close() { p.transport.CloseIdleConnections() }

// Send implements the Send of [queue.Route]. Each attempt signs the event again: a receiver
// that was down for hours gets a token that a key of today's JWKS verifies.
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

// push sends a token. It uses RoundTrip: [http.Client] would follow a redirect and carry
// the event, which names a user, to a host that the operator did not choose.
func (p *Pusher) push(ctx context.Context, signed string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.cfg.URL, strings.NewReader(signed))
	if err != nil {
		return errors.New("the request cannot be made") // err contains the URL
	}
	r.Header.Set("Content-Type", "application/secevent+jwt")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "wxgate")
	if p.cfg.Bearer != "" {
		r.Header.Set("Authorization", "Bearer "+p.cfg.Bearer)
	}
	response, err := p.transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxReplyBytes)) // the status says all that is needed
	if response.StatusCode >= http.StatusOK && response.StatusCode < http.StatusMultipleChoices {
		return nil
	}
	return &queue.StatusError{Status: response.StatusCode, Code: errorCode(response, body), RetryAfter: retryAfter(response)}
}

// errorCodes are those of RFC 8935 section 2.4. No other text of a response is kept: it may
// quote the event, and so name a user in the log.
var errorCodes = []string{"invalid_request", "invalid_key", "invalid_issuer", "invalid_audience", "authentication_failed", "access_denied"}

// errorCode returns the error that the receiver names; empty for none.
func errorCode(response *http.Response, body []byte) string {
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind != "application/json" {
		return ""
	}
	var reply struct {
		Err string `json:"err"`
	}
	if json.Unmarshal(body, &reply) != nil || !slices.Contains(errorCodes, reply.Err) {
		return ""
	}
	return reply.Err
}

// retryAfter returns how long the receiver asks to wait (RFC 9110 section 10.2.3).
func retryAfter(response *http.Response) time.Duration {
	value := response.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(min(seconds, int(tooLong/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// tooLong is more than the queue waits for, and no overflow.
const tooLong = 30 * 24 * time.Hour
