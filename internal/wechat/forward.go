package wechat

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/guard"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

const (
	// forwardTime bounds a forwarded call up to the last byte of the response: 20 MB of
	// media in either direction at 3 Mbit/s.
	forwardTime = time.Minute
	// maxForwards is how many forwarded calls of one app may run at once, each with
	// [MaxReplayBytes] at most: 64 MiB.
	maxForwards = 64
	// peekBytes is how much of a response is checked for a refused token. A longer
	// response is not an error: WeChat's errors have some 150 bytes.
	peekBytes = 1 << 10
)

// Outgoing is a call that an upstream makes, of any endpoint.
type Outgoing struct {
	Method string
	Path   string      // escaped
	Query  string      // raw, without an access_token
	Header http.Header // sent unchanged, so it must not have hop-by-hop headers
	Body   io.Reader   // nil for no body
	Length int64       // of Body; -1 if unknown
}

// Forward makes a call for the app: it adds the access token, and returns WeChat's
// response unchanged, with status, headers and body. The caller must close the body;
// until then the call counts as running. A call that [Config.Security] covers is encrypted,
// and its response decrypted.
//
// If WeChat refuses the token, the call is repeated once with a new one, provided that
// its body could be buffered: see [MaxReplayBytes]. A call is not repeated for any
// other reason, since it may have taken effect. Redirects are not followed.
//
// Forwarded calls have a separate limit and circuit breaker, which only failing
// connections open: errors that upstreams cause do not stop logins.
func (c *Client) Forward(caller context.Context, out Outgoing) (*http.Response, error) {
	if err := c.weixinOnly(platform.CallForward); err != nil {
		return nil, err
	}
	// Read the body before entering the guard: otherwise slow clients that send nothing
	// could occupy all places.
	body, err := newReplayable(out.Body, out.Length)
	if err != nil {
		if caller.Err() != nil {
			err = guard.CallerLeft(caller)
		}
		return nil, err
	}
	sealed, err := c.peer.security.encrypts(out, body)
	if err != nil {
		return nil, err
	}
	leave, err := c.forwards.Enter()
	if err != nil {
		c.peer.report(caller, platform.CallForward, false, time.Now(), err)
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(caller, forwardTime, errForwardTime)
	send := c.send
	if sealed {
		send = c.sendSealed
	}
	resp, err := c.forward(ctx, out, body, send)
	if err != nil {
		cancel()
		leave()
		if caller.Err() != nil {
			err = guard.CallerLeft(caller)
		}
		return nil, err
	}
	resp.Body = &forwardedBody{ReadCloser: resp.Body, done: func() { cancel(); leave() }}
	return resp, nil
}

// sender makes a forwarded call once. stale reports that WeChat refused the token.
type sender func(ctx context.Context, out Outgoing, body *replayable, token string) (resp *http.Response, stale bool, err error)

func (c *Client) forward(ctx context.Context, out Outgoing, body *replayable, send sender) (*http.Response, error) {
	for again := false; ; again = true {
		token, err := c.tokens.Token(ctx)
		if err != nil {
			return nil, err
		}
		resp, stale, err := send(ctx, out, body, token)
		if err != nil {
			return nil, err
		}
		if stale {
			c.tokens.Invalidate(token)
		}
		if !stale || again || !body.whole {
			return resp, nil
		}
		_ = resp.Body.Close() // the body was read completely
	}
}

// send is the [sender] of calls that are not encrypted.
func (c *Client) send(ctx context.Context, out Outgoing, body *replayable, token string) (resp *http.Response, stale bool, err error) {
	started, sent := time.Now(), false
	err = c.forwards.Protect(func() error {
		sent = true
		req, err := c.forwardRequest(ctx, out, body, token)
		if err != nil {
			return err
		}
		if resp, err = c.peer.http.RoundTrip(req); err != nil { //nolint:bodyclose // Forward's caller closes it
			return forwardError(ctx, body, err, auth.ErrWeChatUnreachable)
		}
		if stale, err = c.peekStale(resp); err != nil {
			_ = resp.Body.Close() // it failed
			return forwardError(ctx, body, err, auth.ErrWeChatUnreadable)
		}
		hide(resp.Header, token)
		return nil
	})
	c.peer.report(ctx, platform.CallForward, sent, started, err)
	return resp, stale, err
}

func (c *Client) forwardRequest(ctx context.Context, out Outgoing, body *replayable, token string) (*http.Request, error) {
	target := c.peer.base.JoinPath(out.Path)
	target.RawQuery = "access_token=" + url.QueryEscape(token)
	if out.Query != "" {
		target.RawQuery += "&" + out.Query
	}
	reader, length := body.reader()
	// Some of WeChat's GETs have effects: see unreplayable.
	once := out.Method == http.MethodGet || out.Method == http.MethodHead
	if once && length == 0 {
		reader, length = unreplayable{}, -1
	}
	req, err := http.NewRequestWithContext(ctx, out.Method, target.String(), reader)
	if err != nil { // the text of the error contains the URL
		return nil, fmt.Errorf("%w: the call cannot be made", auth.ErrInvalidRequest)
	}
	if once {
		req.GetBody = nil // otherwise net/http can send the body again
	}
	req.ContentLength = length
	req.Header = out.Header.Clone()
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	req.Header.Set("User-Agent", "wxgate")
	return req, nil
}

// errForwardTime is the cause when Forward times out, to distinguish it from the caller's
// timeout.
var errForwardTime = fmt.Errorf("not within %v", forwardTime)

// forwardError returns transportError, unless reading the caller's body failed.
func forwardError(ctx context.Context, body *replayable, err, class error) error {
	if body.failed() {
		return fmt.Errorf("%w: %w: the request's body ended early", auth.ErrInvalidRequest, guard.ErrCallerLeft)
	}
	if errors.Is(context.Cause(ctx), errForwardTime) {
		return fmt.Errorf("%w: %w", auth.ErrWeChatTimeout, errForwardTime)
	}
	return transportError(ctx, err, class)
}

// peekStale reports whether a response refuses the token. The response can still be
// read from its beginning. Only a complete, short JSON object can be a refusal.
func (c *Client) peekStale(resp *http.Response) (bool, error) {
	reader := bufio.NewReaderSize(resp.Body, peekBytes+1)
	resp.Body = struct {
		io.Reader
		io.Closer
	}{reader, resp.Body}
	first, err := reader.Peek(1)
	if err != nil || first[0] != '{' {
		return false, notEOF(err)
	}
	head, err := reader.Peek(peekBytes + 1)
	if err == nil { // the response is longer
		return false, nil
	}
	if notEOF(err) != nil {
		return false, err
	}
	return c.dialect.RefusesToken(head), nil
}

func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// hide removes the token from the headers of a response: a redirect repeats the query.
func hide(header http.Header, token string) {
	replace := strings.NewReplacer(url.QueryEscape(token), "[redacted]", token, "[redacted]")
	for _, values := range header {
		for i, value := range values {
			values[i] = replace.Replace(value)
		}
	}
}

// forwardedBody ends the call when it is closed.
type forwardedBody struct {
	io.ReadCloser

	done func()
}

func (b *forwardedBody) Close() error {
	if b.done != nil {
		defer b.done()
		b.done = nil
	}
	return b.ReadCloser.Close()
}
