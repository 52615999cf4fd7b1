package wechat

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/guard"
	"github.com/wxgate/wxgate/internal/wechat/platform"
	"github.com/wxgate/wxgate/internal/wechat/redact"
)

const (
	// maxInFlight is how many calls of one app may run at once. At WeChat's usual
	// 100 ms that is 2,500 logins a second; more calls would only wait longer.
	maxInFlight = 256
	// callTime bounds most requests, from dialing to the last byte of the response. Users
	// do not wait longer for a login.
	callTime = 5 * time.Second
	// dialTime bounds connecting: a host that does not accept a connection within two
	// seconds does not complete the call within five.
	dialTime = 2 * time.Second
	// handshakeTime bounds TLS, for the same reason.
	handshakeTime = 3 * time.Second
	// headerTime bounds the wait for a response after the request was written. It is for
	// forwarded calls, such as the check of a picture, which takes WeChat several
	// seconds; callTime bounds the others.
	headerTime = 20 * time.Second
	// idleTime is how long an unused connection stays open. It is well under the minute
	// after which common servers close it: a code that is written to a connection that
	// was just closed is lost.
	idleTime = 20 * time.Second
	// maxIdleConns is how many unused connections stay open for a burst of logins; 64
	// sockets cost little.
	maxIdleConns = 64
	// maxReplyBytes bounds the body of a response in JSON. WeChat's longest is under 2 KiB.
	maxReplyBytes = 64 << 10
	// maxHeaderBytes bounds the headers of a response.
	maxHeaderBytes = 32 << 10
)

// newTransport returns a transport for HTTP/1.1 only. With HTTP/1.1 a request can opt
// out of being replayed: see unreplayable.
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

// peer is the HTTP API of one platform. It sends requests with limits of time and size. It has
// no code for single endpoints or error codes.
type peer struct {
	app      auth.AppID
	base     *url.URL
	http     http.RoundTripper
	guard    *guard.Guard
	callTime time.Duration // of one request; see callTime
	observe  func(context.Context, Call)

	security security // the zero value encrypts no call
}

// reply is a complete response.
type reply struct {
	status int
	body   []byte
}

// do makes one call and passes the response to read, whose error also counts for the
// circuit breaker.
func (p *peer) do(ctx context.Context, r platform.Request, read func(reply) error) error {
	started, sent := time.Now(), false
	err := p.guard.Run(func() error {
		sent = true
		resp, err := p.send(ctx, r)
		if err != nil {
			return err
		}
		return read(resp)
	})
	err = advise(redact.Message(err, r.Secrets))
	p.report(ctx, r.Name, sent, started, err)
	return err
}

func (p *peer) report(ctx context.Context, name platform.CallName, sent bool, started time.Time, err error) {
	if p.observe != nil {
		p.observe(ctx, newCall(p.app, name, sent, time.Since(started), err))
	}
}

// send uses RoundTrip: [http.Client] would follow redirects with the secret in the
// query, and its errors contain the whole URL.
func (p *peer) send(caller context.Context, r platform.Request) (reply, error) {
	ctx, cancel := context.WithTimeout(caller, p.callTime)
	defer cancel()
	req, err := p.newRequest(ctx, r)
	if err != nil {
		return reply{}, err
	}
	resp, err := p.http.RoundTrip(req)
	if err != nil {
		return reply{}, transportError(caller, err, auth.ErrWeChatUnreachable)
	}
	defer func() { _ = resp.Body.Close() }() // the body was read, or an error is returned
	most := cmp.Or(r.MaxBytes, maxReplyBytes)
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return reply{}, transportError(caller, err, auth.ErrWeChatUnreadable)
	}
	if int64(len(body)) > most {
		return reply{}, fmt.Errorf("%w: more than %d bytes", auth.ErrWeChatUnreadable, most)
	}
	if r.Target == nil && p.security.Covers(r.Path) {
		opened, err := p.security.open(req.URL, resp.Header, body)
		return reply{status: http.StatusOK, body: opened.Body}, err
	}
	return reply{status: resp.StatusCode, body: body}, nil
}

func (p *peer) newRequest(ctx context.Context, r platform.Request) (*http.Request, error) {
	target := r.Target
	if target == nil {
		target = p.base.JoinPath(r.Path)
		target.RawQuery = r.Query.Encode()
	}
	method, contentType, body := http.MethodGet, "", []byte(nil)
	switch {
	case r.Form != nil:
		method, contentType, body = http.MethodPost, "application/x-www-form-urlencoded", []byte(r.Form.Encode())
	case r.Body != nil:
		raw, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("%w: the request for %s cannot be encoded as JSON", auth.ErrInvalidRequest, r.Name)
		}
		method, contentType, body = http.MethodPost, "application/json", raw
	}
	if r.Target == nil && p.security.Covers(r.Path) {
		return p.security.newRequest(ctx, target, r.Query, body)
	}
	reader := io.Reader(unreplayable{})
	if method == http.MethodPost {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), reader)
	if err != nil { // the text of the error contains the URL
		return nil, fmt.Errorf("%w: the request for %s cannot be made", auth.ErrAppMisconfigured, r.Name)
	}
	if method == http.MethodGet {
		// The body is known to be empty. Without this, net/http starts a goroutine to detect
		// it.
		req.TransferEncoding = []string{"identity"}
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("User-Agent", "wxgate")
	return req, nil
}

// unreplayable is the empty body of a GET. net/http sends a GET without a body again when a
// reused connection ends before the response begins, although the first request may have taken
// effect (https://github.com/golang/go/issues/48438): a code would be spent twice, and a
// successful login would return "code already used". net/http does not replay a request with a
// body that it cannot rewind, and an empty body adds nothing to the request. (It replays a POST
// only if no byte of it was written.)
type unreplayable struct{}

func (unreplayable) Read([]byte) (int, error) { return 0, io.EOF }

// transportError classifies an error of net/http; class is for errors other than
// timeouts.
func transportError(caller context.Context, err, class error) error {
	if caller.Err() != nil {
		return guard.CallerLeft(caller)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() { // context.DeadlineExceeded is one
		return fmt.Errorf("%w: %s", auth.ErrWeChatTimeout, redact.Cause(err))
	}
	return fmt.Errorf("%w: %s", class, redact.Cause(err))
}
