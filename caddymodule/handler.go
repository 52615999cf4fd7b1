package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/wechat"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler serves the login API of the configured mini programs under its prefix and
// guards all other paths: it passes a request to the next handler with the caller's
// identity in the headers, or refuses it.
//
// It sets the placeholders `{wxgate.openid}`, `{wxgate.unionid}`,
// `{wxgate.appid}`, `{wxgate.source}`, `{wxgate.session}` and `{wxgate.phone}`,
// all empty for an anonymous request, and `{http.auth.user.id}`: a keyed hash that
// identifies the user in access logs without the openid.
type Handler struct {
	// Path prefix of the login API. Default `/v1.0/pub`.
	Prefix string `json:"prefix,omitempty"`

	// The appids whose users are admitted. Default: all configured apps.
	Apps []string `json:"apps,omitempty"`

	// Paths that require no token: exact, or prefixes that end in `/*`. Identity
	// headers of clients are removed there too. Default: none.
	Public []string `json:"public,omitempty"`

	// Paths where a token is optional. An invalid token is still refused.
	Optional []string `json:"optional,omitempty"`

	// What an identity must have on which paths. Default: a token is enough.
	Require []Requirement `json:"require,omitempty"`

	// Where clients send the token. Default: the header Authorization, with the scheme
	// Bearer.
	TokenFrom TokenSource `json:"token_from,omitzero"`

	// Keep the token in the request for the upstream. Default: it is removed.
	ForwardToken bool `json:"forward_token,omitempty"`

	// The names of the identity headers. Default: WeChat Cloud Hosting's.
	Headers HeaderNames `json:"headers,omitzero"`

	// Cross-origin access for browsers. Default: none; preflight requests are refused.
	CORS *CORS `json:"cors,omitempty"`

	// Limits on logins, phone codes and decryption.
	Limit Limits `json:"limit,omitzero"`

	// With store redis, what happens when no revocations of other machines are
	// received. Default: tokens are accepted for another 30s, then the response is 503.
	OnStale *OnStale `json:"on_stale,omitempty"`

	// How long a response may continue after its session was ended by a logout or a
	// revocation. WebSockets and event streams end at once. Default: 10s.
	StreamGrace caddy.Duration `json:"stream_grace,omitempty"`

	// Also serve the client SDKs of Tencent Wafer. Default: they are not supported.
	Wafer *WaferCompat `json:"wafer,omitempty"`

	*guard

	limits    *limits
	endpoints map[string]endpoint
	callbacks []*wechat.Callback // of the apps that have one
	grace     time.Duration      // how long a response may outlive its session
	releases  []func() error
}

// CaddyModule returns the module's ID and constructor.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.wxgate", New: func() caddy.Module { return new(Handler) }}
}

// Provision checks the configuration and finds the app. It opens nothing.
func (h *Handler) Provision(ctx caddy.Context) error {
	app, err := findApp(ctx, "the wxgate handler")
	if err != nil {
		return err
	}
	if h.Prefix == "" {
		h.Prefix = defaultPrefix
	}
	if h.endpoints, err = newEndpoints(h.Prefix); err != nil {
		return err
	}
	h.guard, err = newGuard(ctx, app, guardConfig{
		Apps: h.Apps, Public: h.Public, Optional: h.Optional, Require: h.Require, TokenFrom: h.TokenFrom, Headers: h.Headers, OnStale: h.OnStale,
		Prefix: strings.TrimSuffix(h.Prefix, "/"), ForwardToken: h.ForwardToken, Wafer: h.Wafer,
	})
	if err != nil {
		return err
	}
	if h.limits, err = newLimits(h.Limit); err != nil {
		return err
	}
	if h.grace, err = streamGrace(h.StreamGrace); err != nil {
		return err
	}
	if err := h.CORS.validate(); err != nil {
		return fmt.Errorf("cors: %w", err)
	}
	h.addCallback()
	if err := h.Wafer.addTo(h.endpoints, h.Prefix); err != nil {
		return err
	}
	return h.limits.keep(h.Prefix, h.admitted, &h.releases)
}

// Cleanup gives back what Provision took.
func (h *Handler) Cleanup() error {
	var errs []error
	for _, release := range h.releases {
		errs = append(errs, release())
	}
	h.releases = nil
	return errors.Join(errs...)
}

// ServeHTTP receives, decides and sends. A call of the login API is served in
// between; nothing of it reaches the next handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	in, err := h.receive(r)
	if err != nil {
		return h.refuse(w, r, nil, err)
	}
	w, answered := h.CORS.handle(w, r)
	if answered {
		return nil
	}
	if e, ok := h.endpoints[r.URL.Path]; ok && edge.CanonicalRequestPath(r) {
		return h.serveEndpoint(w, r, e, in.bearer)
	}
	d, err := h.decide(in)
	defer d.release()
	if err != nil {
		return h.refuse(w, r, d.id, h.Wafer.forWafer(err, in.bearer, false))
	}
	return h.pass(w, r, next, d)
}

// pass hands the request on to the next handler.
func (h *Handler) pass(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, d decision) error {
	h.send(r, r.Header, d)
	var err error
	switch {
	case d.id != nil:
		err = h.watched(d.runtime, d.id, w, r, next)
	case h.ForwardToken: // which is kept out of the log
		err = next.ServeHTTP(w, r.WithContext(h.withIdentity(r.Context(), new(auth.Identity))))
	default:
		err = next.ServeHTTP(w, r)
	}
	if err == nil {
		return nil
	}
	h.edge.Forget(r)
	setPlaceholders(r, nil)
	if d.id != nil {
		nameUser(r, d.id) // the access log is written after the error routes
	}
	return err
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
