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
)

const (
	// forwardTime bounds a forwarded call from its beginning to the answer's last
	// byte: 20 MB of media in either direction at 3 Mbit/s.
	forwardTime = time.Minute
	// maxForwards is how many forwarded calls of one app may be under way, each
	// with [MaxReplayBytes] at most: 64 MiB.
	maxForwards = 64
	// peekBytes is how much of an answer is looked at for a stale token. An answer
	// that is longer is no error: WeChat's are some 150 bytes.
	peekBytes = 1 << 10
)

// Outgoing is a call of any endpoint, as an upstream wants it made.
type Outgoing struct {
	Method string
	Path   string      // escaped
	Query  string      // raw, without an access_token
	Header http.Header // sent as it is, so without hop-by-hop headers
	Body   io.Reader   // nil for none
	Length int64       // of Body; -1 when it is not known
}

// Forward makes a call in the app's name: it adds the access token, and hands
// WeChat's answer on as it is, status, headers and body. The caller closes the
// body, which counts as under way until then.
//
// When WeChat answers that the token is stale, the call is made once more with a
// new one, if its body could be kept for that: see [MaxReplayBytes]. Nothing else
// is ever repeated: what was asked for may have been done. Redirects are answers.
//
// Forwarded calls have a bound and a circuit breaker of their own, which only
// connections that fail can open: whatever WeChat has against what upstreams do,
// people go on logging in.
func (c *Client) Forward(caller context.Context, out Outgoing) (*http.Response, error) {
	if err := c.weixinOnly(CallForward); err != nil {
		return nil, err
	}
	// Before a place is taken: a caller that sends nothing must not hold one.
	body, err := newReplayable(out.Body, out.Length)
	if err != nil {
		if caller.Err() != nil {
			err = callerLeft(caller)
		}
		return nil, err
	}
	leave, err := c.forwards.enter()
	if err != nil {
		c.peer.report(CallForward, false, time.Now(), err)
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(caller, forwardTime, errForwardTime)
	resp, err := c.forward(ctx, out, body)
	if err != nil {
		cancel()
		leave()
		if caller.Err() != nil {
			err = callerLeft(caller)
		}
		return nil, err
	}
	resp.Body = &forwardedBody{ReadCloser: resp.Body, done: func() { cancel(); leave() }}
	return resp, nil
}

func (c *Client) forward(ctx context.Context, out Outgoing, body *replayable) (*http.Response, error) {
	for again := false; ; again = true {
		token, err := c.tokens.Token(ctx)
		if err != nil {
			return nil, err
		}
		resp, stale, err := c.send(ctx, out, body, token)
		if err != nil {
			return nil, err
		}
		if stale {
			c.tokens.Invalidate(token)
		}
		if !stale || again || !body.whole {
			return resp, nil
		}
		_ = resp.Body.Close() // all of it was read
	}
}

// send makes the call once. stale says that WeChat refused the token.
func (c *Client) send(ctx context.Context, out Outgoing, body *replayable, token string) (resp *http.Response, stale bool, err error) {
	started, sent := time.Now(), false
	err = c.forwards.protect(func() error {
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
	c.peer.report(CallForward, sent, started, err)
	return resp, stale, err
}

func (c *Client) forwardRequest(ctx context.Context, out Outgoing, body *replayable, token string) (*http.Request, error) {
	target := c.peer.base.JoinPath(out.Path)
	target.RawQuery = "access_token=" + url.QueryEscape(token)
	if out.Query != "" {
		target.RawQuery += "&" + out.Query
	}
	reader, length := body.reader()
	// Some of WeChat's GETs change things: see unreplayable.
	once := out.Method == http.MethodGet || out.Method == http.MethodHead
	if once && length == 0 {
		reader, length = unreplayable{}, -1
	}
	req, err := http.NewRequestWithContext(ctx, out.Method, target.String(), reader)
	if err != nil { // its text holds the URL
		return nil, fmt.Errorf("%w: the call cannot be made", auth.ErrInvalidRequest)
	}
	if once {
		req.GetBody = nil // or net/http has the body a second time
	}
	req.ContentLength = length
	req.Header = out.Header.Clone()
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	req.Header.Set("User-Agent", "wxgate")
	return req, nil
}

// errForwardTime is the end of our own patience, as opposed to the caller's.
var errForwardTime = fmt.Errorf("not within %v", forwardTime)

// forwardError is transportError, unless it was the caller's body that failed.
func forwardError(ctx context.Context, body *replayable, err, class error) error {
	if body.failed() {
		return fmt.Errorf("%w: %w: the request's body ended early", auth.ErrInvalidRequest, errCallerLeft)
	}
	if errors.Is(context.Cause(ctx), errForwardTime) {
		return fmt.Errorf("%w: %w", auth.ErrWeChatTimeout, errForwardTime)
	}
	return transportError(ctx, err, class)
}

// peekStale looks at the beginning of an answer, which stays readable. Only a
// whole JSON object that is short counts: that is what WeChat's errors are.
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
	if err == nil { // there is more
		return false, nil
	}
	if notEOF(err) != nil {
		return false, err
	}
	code, _, err := c.dialect.status(tidy(head))
	return err == nil && c.dialect.isStaleCode(code), nil
}

func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// hide takes the token out of an answer's headers: a redirect repeats the query.
func hide(header http.Header, token string) {
	replace := strings.NewReplacer(url.QueryEscape(token), "[redacted]", token, "[redacted]")
	for _, values := range header {
		for i, value := range values {
			values[i] = replace.Replace(value)
		}
	}
}

// forwardedBody gives the call's place back when it is closed.
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
