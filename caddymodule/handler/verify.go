package handler

import (
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/caddymodule/app"
	"github.com/wxgate/wxgate/internal/gateway"
)

func init() {
	caddy.RegisterModule(new(Verify))
}

// Verify decides for another proxy whether a request may pass: for nginx's auth_request,
// Traefik's ForwardAuth, Envoy's ext_authz over HTTP, or Caddy's forward_auth. It returns
// 200 with the identity in the response headers, 200 without an identity for an
// anonymous request, or 401 or 403.
//
// It decides as [Handler] does, with the same options, and sets the same placeholders.
type Verify struct {
	// The mini programs whose users are admitted, by appid. Default: all configured mini
	// programs.
	Apps []string `json:"apps,omitempty"`

	// Paths that require no token: exact, or prefixes that end in `/*`. Default: none.
	Public []string `json:"public,omitempty"`

	// Paths where a token is optional. An invalid token is still refused.
	Optional []string `json:"optional,omitempty"`

	// What an identity must have on which paths. Default: a token is enough.
	Require []Requirement `json:"require,omitempty"`

	// Where clients send the token. Default: the header Authorization, with the scheme
	// Bearer.
	TokenFrom TokenSource `json:"token_from,omitzero"`

	// The names of the identity headers. Default: WeChat Cloud Hosting's.
	Headers HeaderNames `json:"headers,omitzero"`

	// With store redis, what happens when no revocations of other machines are
	// received. Default: tokens are accepted for another 30s, then the response is 503.
	OnStale *OnStale `json:"on_stale,omitempty"`

	// Admit the cookies of browser sessions that a site with the same option began. The
	// proxy must be one of `trusted_proxies` and send the client's method, as
	// X-Forwarded-Method or X-Original-Method. Default: cookies are not looked at.
	Web *Web `json:"web,omitempty"`

	// Where the original path is: `forwarded` is the header X-Forwarded-Uri, which
	// Caddy and Traefik send; `original` is the header X-Original-URI, which nginx is
	// configured to send; `request` is the path of the request itself, as with Envoy.
	// The headers are accepted from `trusted_proxies` only, which must not contain
	// every address. With `original`, a refusal also has the problem document in the
	// header X-Wxgate-Problem, because nginx drops the body. Default `forwarded`.
	PathFrom string `json:"path_from,omitempty"`

	verifier *gateway.Verifier
}

// CaddyModule returns the module's ID and constructor.
func (*Verify) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.wxgate_verify", New: func() caddy.Module { return new(Verify) }}
}

// Provision checks the configuration and finds the app. It opens nothing.
func (v *Verify) Provision(ctx caddy.Context) error {
	if v.PathFrom == "" {
		v.PathFrom = string(gateway.PathFromForwarded)
	}
	if err := checkPathFrom(v.PathFrom); err != nil {
		return err
	}
	a, err := app.Find(ctx, "the wxgate_verify handler")
	if err != nil {
		return err
	}
	guard, err := newGuard(ctx, a, guardConfig{
		Apps: v.Apps, Public: v.Public, Optional: v.Optional, Require: v.Require, TokenFrom: v.TokenFrom, Headers: v.Headers, OnStale: v.OnStale,
		Web: v.Web, Asked: true,
	})
	if err != nil {
		return err
	}
	v.verifier = &gateway.Verifier{Guard: guard, PathFrom: gateway.PathFrom(v.PathFrom)}
	// If the gateway trusted every address, any client could send a public path in the
	// header and reach every path.
	if header := v.verifier.PathFrom.Header(); header != "" && v.verifier.NeedsURI() && trustsEveryone(ctx) {
		return fmt.Errorf("wxgate_verify with public, optional, require or token_from query: trusted_proxies contains every address, so any client could send %s; list only the addresses of your proxies", header)
	}
	return nil
}

func checkPathFrom(value string) error {
	if !gateway.PathFrom(value).Valid() {
		return fmt.Errorf("unrecognized path_from %q; expected one of: forwarded, original, request", value)
	}
	return nil
}

// ServeHTTP responds to every request itself and never calls next.
func (v *Verify) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	return v.verifier.ServeHTTP(w, r)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Verify)(nil)
	_ caddyhttp.MiddlewareHandler = (*Verify)(nil)
)
