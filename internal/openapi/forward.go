package openapi

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/wechat"
)

// Forward makes a call in an app's name and copies WeChat's response. If the response
// ends early, it panics with [http.ErrAbortHandler]: what arrived must not look whole.
func Forward(w http.ResponseWriter, r *http.Request, client *wechat.Client) error {
	var failed error
	proxy := httputil.ReverseProxy{
		Rewrite:      func(*httputil.ProxyRequest) {}, // Forward sends only what it is given
		Transport:    forwarder{client, outgoingHeader(r.Header)},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err },
		ErrorLog:     log.New(io.Discard, "", 0), // the caller logs
	}
	proxy.ServeHTTP(w, r)
	return failed
}

// forwarder is a transport that adds the app's access token. ReverseProxy has removed
// from a request what its Connection header names, which must not change the call.
type forwarder struct {
	client *wechat.Client
	header http.Header
}

// RoundTrip implements [http.RoundTripper].
func (f forwarder) RoundTrip(r *http.Request) (*http.Response, error) {
	return f.client.Forward(r.Context(), wechat.Outgoing{
		Method: r.Method,
		Path:   r.URL.EscapedPath(),
		Query:  r.URL.RawQuery,
		Header: f.header,
		Body:   r.Body,
		Length: r.ContentLength,
	})
}

// Problem is [problem.Of] in terms of a service instead of a mini program.
func Problem(err error) *problem.Problem {
	if errors.Is(err, wechat.ErrLengthRequired) {
		p := problem.BadRequest("A body over 1 MiB requires a Content-Length: WeChat refuses one without.")
		p.Status = http.StatusLengthRequired
		p.Cause = err
		return p
	}
	p := problem.Of(err)
	switch {
	case errors.Is(err, wechat.ErrNotEncryptable):
		p.SetDetail("wxgate encrypts and signs this call: send its parameters once, as one JSON object of at most 1 MiB, without a signature.")
	case errors.Is(err, wechat.ErrUnverified):
		p.SetDetail("WeChat's response was refused, because it could not be verified. WeChat may have carried out the call.")
	case errors.Is(err, auth.ErrWeChatTimeout):
		p.SetDetail("WeChat did not respond in time. It may have carried out the call.")
	case errors.Is(err, auth.ErrWeChatUnreadable):
		p.SetDetail("WeChat's response ended early. It may have carried out the call.")
	case errors.Is(err, auth.ErrWeChatUnreachable):
		p.SetDetail("WeChat cannot be reached. Wait, then try again.")
	case errors.Is(err, auth.ErrWeChatBusy):
		p.SetDetail("WeChat is busy, or too many calls are under way. Wait, then try again.")
	}
	return p
}
