package wechat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/apisecurity"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

// maxSealedBytes bounds the response to a forwarded call that is encrypted, which is
// verified as a whole. The longest documented ones are lists of some 100 KiB.
const maxSealedBytes = 4 << 20

// The errors of calls that are encrypted and signed.
var (
	// ErrUnverified is for a response that WeChat may not have made. It is an
	// [auth.ErrWeChatUnreadable].
	ErrUnverified = apisecurity.ErrRefused
	// ErrNotEncryptable is for a forwarded call whose parameters are not one JSON object. It
	// is an [auth.ErrInvalidRequest].
	ErrNotEncryptable = apisecurity.ErrRequest
)

// SecurityCheck is the result of checking the response to an encrypted call, as reported to
// [Config.ObserveSecurity]. It contains no secret.
type SecurityCheck struct {
	App     auth.AppID
	Path    string
	Outcome apisecurity.Outcome
	Serial  string // of WeChat's key, if a key verified the response
	Err     error  // an [ErrUnverified]; nil otherwise
}

// security encrypts and signs the calls of one app.
type security struct {
	*apisecurity.Security // nil if no call is encrypted

	app     auth.AppID
	observe func(SecurityCheck)
}

// newRequest returns an encrypted and signed request. Only the access token stays in the
// query.
func (s security) newRequest(ctx context.Context, target *url.URL, query url.Values, body []byte) (*http.Request, error) {
	sealed, err := s.Seal(target, query, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", auth.ErrInvalidRequest, err)
	}
	target.RawQuery = url.Values{"access_token": query["access_token"]}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(sealed.Body))
	if err != nil { // the text of the error contains the URL
		return nil, fmt.Errorf("%w: the encrypted request cannot be made", auth.ErrAppMisconfigured)
	}
	req.Header = sealed.Header
	req.Header.Set("User-Agent", "wxgate")
	return req, nil
}

// open verifies and decrypts a response, and reports the outcome.
func (s security) open(target *url.URL, header http.Header, body []byte) (apisecurity.Opened, error) {
	opened, err := s.Open(target, header, body)
	if s.observe != nil {
		check := SecurityCheck{App: s.app, Path: "/" + strings.TrimPrefix(target.Path, "/"), Outcome: opened.Outcome, Serial: opened.Serial, Err: err}
		if err != nil {
			check.Outcome = apisecurity.OutcomeOf(err)
		}
		s.observe(check)
	}
	if err != nil {
		return opened, fmt.Errorf("%w: %w", auth.ErrWeChatUnreadable, err)
	}
	return opened, nil
}

// encrypts reports whether a forwarded call is encrypted. Uploads never are: WeChat does
// not support that.
func (s security) encrypts(out Outgoing, body *replayable) (bool, error) {
	if !s.Covers(out.Path) || strings.HasPrefix(strings.ToLower(out.Header.Get("Content-Type")), "multipart/") {
		return false, nil
	}
	switch {
	case out.Header.Get("Wechatmp-Signature") != "":
		return false, fmt.Errorf("%w: %w: the caller signed it", auth.ErrInvalidRequest, ErrNotEncryptable)
	case !body.whole:
		return false, fmt.Errorf("%w: %w: more than %d bytes", auth.ErrInvalidRequest, ErrNotEncryptable, MaxReplayBytes)
	}
	return true, nil
}

// sendSealed is the [sender] of encrypted calls.
func (c *Client) sendSealed(ctx context.Context, out Outgoing, body *replayable, token string) (resp *http.Response, stale bool, err error) {
	req, err := c.sealedRequest(ctx, out, body, token)
	if err != nil {
		return nil, false, err
	}
	started, sent := time.Now(), false
	var header http.Header
	var sealed []byte
	err = c.forwards.Protect(func() error {
		sent = true
		resp, err := c.peer.http.RoundTrip(req) //nolint:bodyclose // readSealed closes it
		if err != nil {
			return forwardError(ctx, body, err, auth.ErrWeChatUnreachable)
		}
		header = resp.Header
		sealed, err = readSealed(ctx, body, resp)
		return err
	})
	var opened apisecurity.Opened
	if err == nil {
		opened, err = c.peer.security.open(req.URL, header, sealed)
	}
	if err == nil {
		stale = c.dialect.RefusesToken(opened.Body)
		err = advise(c.misconfigured(opened.Body))
	}
	c.peer.report(ctx, platform.CallForward, sent, started, err)
	if err != nil {
		return nil, false, err
	}
	return plainResponse(req, opened.Body), stale, nil
}

func (c *Client) sealedRequest(ctx context.Context, out Outgoing, body *replayable, token string) (*http.Request, error) {
	query, err := url.ParseQuery(out.Query)
	if err != nil {
		return nil, fmt.Errorf("%w: the query cannot be decoded", auth.ErrInvalidRequest)
	}
	query.Set("access_token", token)
	return c.peer.security.newRequest(ctx, c.peer.base.JoinPath(out.Path), query, body.kept)
}

// readSealed reads an encrypted response completely and closes it.
func readSealed(ctx context.Context, body *replayable, resp *http.Response) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }() // the body was read, or an error is returned
	sealed, err := io.ReadAll(io.LimitReader(resp.Body, maxSealedBytes+1))
	switch {
	case err != nil:
		return nil, forwardError(ctx, body, err, auth.ErrWeChatUnreadable)
	case len(sealed) > maxSealedBytes:
		return nil, fmt.Errorf("%w: more than %d bytes", auth.ErrWeChatUnreadable, maxSealedBytes)
	}
	return sealed, nil
}

// misconfigured returns WeChat's error if it is about the encryption or the signature: the
// upstream, which sent neither, cannot do anything about it.
func (c *Client) misconfigured(body []byte) error {
	err := c.dialect.Decode(platform.CallForward, http.StatusOK, body, new(struct{}), c.cfg.Now())
	if refusal, ok := errors.AsType[*auth.PlatformError](err); ok {
		if _, ok := apisecurity.Advice(refusal.Code); ok {
			return err
		}
	}
	return nil
}

// plainResponse is the response that an upstream gets. Status and headers of WeChat's response
// are not authenticated, so they are not passed on: a redirect would lead the upstream to an
// attacker.
func plainResponse(req *http.Request, body []byte) *http.Response {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       req,
	}
}

// advise adds to WeChat's error what an operator must fix, for the log.
func advise(err error) error {
	if refusal, ok := errors.AsType[*auth.PlatformError](err); ok {
		if advice, ok := apisecurity.Advice(refusal.Code); ok {
			refusal.Message = advice + ": " + refusal.Message
		}
	}
	return err
}
