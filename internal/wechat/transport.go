package wechat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// callTime bounds one request, from dialling to the answer's last byte. A
	// phone's user has given up on a login by then.
	callTime = 5 * time.Second
	// dialTime bounds connecting: a host that does not answer a SYN within two
	// seconds is not going to serve the call within five.
	dialTime = 2 * time.Second
	// handshakeTime bounds TLS, for the same reason.
	handshakeTime = 3 * time.Second
	// headerTime bounds the wait for an answer once the request was written. Our
	// own calls end sooner, by callTime; a picture that an upstream has checked
	// takes WeChat several seconds.
	headerTime = 20 * time.Second
	// idleTime is how long an unused connection is kept: well under the minute
	// after which common front ends close theirs, since a code that is written
	// to a connection just closed is lost.
	idleTime = 20 * time.Second
	// maxIdleConns is how many unused connections are kept: a burst of logins
	// finds them open, and 64 sockets cost next to nothing.
	maxIdleConns = 64
	// maxAnswerBytes caps an answer's body. WeChat's longest is under 2 KiB.
	maxAnswerBytes = 64 << 10
	// maxHeaderBytes caps an answer's headers, in bytes.
	maxHeaderBytes = 32 << 10
)

// newTransport speaks HTTP/1.1 only: its rule for replaying a request is one
// that a request can opt out of.
func newTransport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTime}).DialContext,
		TLSHandshakeTimeout:    handshakeTime,
		ResponseHeaderTimeout:  headerTime,
		IdleConnTimeout:        idleTime,
		MaxIdleConns:           maxIdleConns,
		MaxIdleConnsPerHost:    maxIdleConns,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true,
		Protocols:              &protocols,
	}
}

// peer is one platform's HTTP API. It moves bytes within bounds and knows no
// endpoint and no error code, so that it serves a sibling of WeChat as well.
type peer struct {
	base    *url.URL
	http    http.RoundTripper
	guard   *guard
	observe func(Call)
}

// request is a call to make. A GET has a query, a POST a body or a form besides.
type request struct {
	name    CallName
	path    string
	query   url.Values
	target  *url.URL   // whole, in place of path and query; nil for those
	body    any        // sent as JSON by POST; nil for a GET
	form    url.Values // sent as such by POST, in place of body
	secrets []string   // of query and body, the user's openid too: never to be seen in an error
}

// reply is what came back, whole.
type reply struct {
	status int
	body   []byte
}

// do makes one call and has read judge its answer, which also decides what the
// circuit breaker thinks of it.
func (p *peer) do(ctx context.Context, r request, read func(reply) error) error {
	started, sent := time.Now(), false
	err := p.guard.run(func() error {
		sent = true
		answer, err := p.send(ctx, r)
		if err != nil {
			return err
		}
		return read(answer)
	})
	err = redact(err, r.secrets)
	p.report(r.name, sent, started, err)
	return err
}

func (p *peer) report(name CallName, sent bool, started time.Time, err error) {
	if p.observe != nil {
		p.observe(newCall(name, sent, time.Since(started), err))
	}
}

// send uses RoundTrip rather than [http.Client], which would follow redirects
// with the secret in the query, and put the whole URL in its errors.
func (p *peer) send(caller context.Context, r request) (reply, error) {
	ctx, cancel := context.WithTimeout(caller, callTime)
	defer cancel()
	req, err := p.newRequest(ctx, r)
	if err != nil {
		return reply{}, err
	}
	resp, err := p.http.RoundTrip(req)
	if err != nil {
		return reply{}, transportError(caller, err, auth.ErrWeChatUnreachable)
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or is given up
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	if err != nil {
		return reply{}, transportError(caller, err, auth.ErrWeChatUnreadable)
	}
	if len(body) > maxAnswerBytes {
		return reply{}, fmt.Errorf("%w: more than %d bytes", auth.ErrWeChatUnreadable, maxAnswerBytes)
	}
	return reply{status: resp.StatusCode, body: body}, nil
}

func (p *peer) newRequest(ctx context.Context, r request) (*http.Request, error) {
	target := r.target
	if target == nil {
		target = p.base.JoinPath(r.path)
		target.RawQuery = r.query.Encode()
	}
	method, contentType, body := http.MethodGet, "", io.Reader(unreplayable{})
	switch {
	case r.form != nil:
		method, contentType, body = http.MethodPost, "application/x-www-form-urlencoded", strings.NewReader(r.form.Encode())
	case r.body != nil:
		raw, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("%w: the request for %s is no JSON", auth.ErrInvalidRequest, r.name)
		}
		method, contentType, body = http.MethodPost, "application/json", bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil { // its text holds the URL
		return nil, fmt.Errorf("%w: the request for %s cannot be made", auth.ErrAppMisconfigured, r.name)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("User-Agent", "wxgate")
	return req, nil
}

// unreplayable is the empty body of a GET. net/http sends a GET without a body a
// second time when a kept connection ends before the answer begins, although the
// first may well have been carried out: a code would be spent twice, and a login
// that worked answered with "code already used". A request whose body cannot be
// had again is exempt, and an empty body adds nothing to what is written.
// (A POST is never replayed, but when nothing of it was written.)
type unreplayable struct{}

func (unreplayable) Read([]byte) (int, error) { return 0, io.EOF }

// errCallerLeft marks a call that ended because its caller did: it says nothing
// of the platform, so the circuit breaker does not count it.
var errCallerLeft = errors.New("the caller left or had no more time")

// callerLeft is the error for a caller whose context ended.
func callerLeft(ctx context.Context) error {
	return fmt.Errorf("%w: %w: %w", auth.ErrWeChatTimeout, errCallerLeft, ctx.Err())
}

// transportError classifies what net/http reports; class is what remains when it
// is no timeout.
func transportError(caller context.Context, err, class error) error {
	if caller.Err() != nil {
		return callerLeft(caller)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() { // context.DeadlineExceeded is one
		return fmt.Errorf("%w: %s", auth.ErrWeChatTimeout, cause(err))
	}
	return fmt.Errorf("%w: %s", class, cause(err))
}
