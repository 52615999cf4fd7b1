package handler

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// HeaderNames are the request headers that carry the identity to the upstream.
// An empty name is its default.
type HeaderNames struct {
	// The caller's openid. Default `X-WX-OPENID`.
	OpenID string `json:"openid,omitempty"`
	// The caller's unionid, when known. Default `X-WX-UNIONID`.
	UnionID string `json:"unionid,omitempty"`
	// The mini program's appid. Default `X-WX-APPID`.
	AppID string `json:"appid,omitempty"`
	// `wx_client`, as on WeChat Cloud Hosting. Default `X-WX-SOURCE`.
	Source string `json:"source,omitempty"`
	// The session's ID. Default `X-WX-SESSION`.
	Session string `json:"session,omitempty"`
	// The verified phone number, when known. Default: not sent.
	Phone string `json:"phone,omitempty"`
	// The user's risk rank at WeChat, `0` to `4`, if the login has one: see the option `risk`
	// of an app. Default: not sent.
	Risk string `json:"risk,omitempty"`
	// A JWT that proves the identity to the upstream. Default: not sent.
	Assertion string `json:"assertion,omitempty"`
	// The release number of the mini program, from the Referer that WeChat sends. Only for
	// a released version. The client writes the Referer: use it for routing, never for
	// security. Default: not sent.
	AppVersion string `json:"app_version,omitempty"`
	// `release`, `trial` (a development, trial or review version) or `devtools`, from the
	// same Referer; never for security. Default: not sent.
	AppEnv string `json:"app_env,omitempty"`
	// The assertion's `aud`, a name of the upstream. Required with Assertion.
	AssertionAudience string `json:"assertion_audience,omitempty"`
}

// TokenSource is where clients send the access token.
type TokenSource struct {
	// `header` (default), `query` or `cookie`.
	Kind string `json:"kind,omitempty"`
	// The header, query parameter or cookie. Default: the header Authorization,
	// with the scheme Bearer.
	Name string `json:"name,omitempty"`
}

// OnStale configures what a site does while revocations of other machines are not received.
type OnStale struct {
	// How long tokens are accepted after Redis last responded.
	// Default 30s, at least 2s.
	Allow caddy.Duration `json:"allow,omitempty"`

	// Refuse as soon as a heartbeat is overdue, which is 2s after the last.
	Deny bool `json:"deny,omitempty"`
}

// allowance returns how stale the revocations may be; for nil, the default.
func (o *OnStale) allowance() (time.Duration, error) {
	switch {
	case o == nil:
		return defaultStale, nil
	case o.Deny && o.Allow != 0:
		return 0, errors.New("on_stale: allow and deny are mutually exclusive")
	case o.Deny:
		return overdue, nil
	case o.Allow == 0:
		return defaultStale, nil
	case time.Duration(o.Allow) < overdue:
		return 0, fmt.Errorf("on_stale allow %s: must be at least %s, the time between heartbeats; or write on_stale deny", time.Duration(o.Allow), overdue)
	}
	return time.Duration(o.Allow), nil
}

const (
	// defaultStale is how long tokens are accepted while Redis is unreachable:
	// a Sentinel fails over, and a Redis restarts, in less.
	defaultStale = 30 * time.Second
	// overdue is the time after which a heartbeat of the store is overdue. The store sends
	// four in that time, so that one slow response causes no refusal.
	overdue = 2 * time.Second
)

// defaultStreamGrace is how long a response may continue after its session ended.
const defaultStreamGrace = 10 * time.Second

// streamGrace returns the configured or default grace period.
func streamGrace(configured caddy.Duration) (time.Duration, error) {
	switch {
	case configured < 0:
		return 0, errors.New("stream_grace must be above zero")
	case configured == 0:
		return defaultStreamGrace, nil
	}
	return time.Duration(configured), nil
}

// WaferCompat serves mini programs built on the client SDKs of Tencent Wafer,
// `wafer-client-sdk` and `wafer2-client-sdk`, whose own server is abandoned.
//
// Their login has a separate path, and their access token, which they call a
// skey, comes as X-WX-Skey on every guarded path. No X-WX header of a client
// reaches the upstream, these included.
type WaferCompat struct {
	// Where they log in: the path of the client's `setLoginUrl`. Default
	// `<prefix>/login`.
	Login string `json:"login,omitempty"`
}

// path returns where the SDKs log in.
func (c *WaferCompat) path(prefix string) string {
	if c.Login == "" {
		return strings.TrimSuffix(prefix, "/") + "/login"
	}
	return c.Login
}
