// Package handler has the handlers `wxgate` and `wxgate_verify`: their configuration. What they
// do is in internal/gateway.
package handler

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/caddymodule/app"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/gateway/prefetch"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler serves the login API of the configured mini programs under its prefix and
// guards all other paths: it passes a request to the next handler with the caller's
// identity in the headers, or refuses it.
//
// It sets the placeholders `{wxgate.openid}`, `{wxgate.unionid}`,
// `{wxgate.appid}`, `{wxgate.source}`, `{wxgate.session}`, `{wxgate.phone}`,
// `{wxgate.app_version}` and `{wxgate.app_env}`, all empty for an anonymous request, and
// `{http.auth.user.id}`: a keyed hash that identifies the user in access logs without the
// openid.
type Handler struct {
	// Path prefix of the login API. Default `/v1.0/pub`.
	Prefix string `json:"prefix,omitempty"`

	// The mini programs whose users are admitted, by appid. Default: all configured mini
	// programs.
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

	// Headers that clients must not send and a trusted proxy sets, such as
	// `X-WX-RISK-RANK` of WeChat Gateway. They are passed to the upstream if they come from
	// an address of `trusted_proxies`, in this spelling, once and with one value. Not
	// allowed for the names of the identity and of the assertion. Default: none; all
	// `X-WX-` headers are removed.
	PassFromTrusted []string `json:"pass_from_trusted,omitempty"`

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

	// Wrap the responses of the login API, as a self-written backend did. Default: they
	// are not wrapped.
	Envelope *Envelope `json:"envelope,omitempty"`

	// Serve the metadata of the issuer (RFC 8414), for verifiers that start from it. The
	// issuer must be an https URL whose host is the site's. Default: not served.
	Metadata bool `json:"metadata,omitempty"`

	// Path of the GET with which WeChat's servers fetch data while a mini program starts
	// (数据预拉取). Its `token`, which the call prefetch-token returns, or its `code` names the
	// user; neither reaches the upstream or a log. The response must not be larger than 256
	// KB. Default: none; the path is treated as any other path.
	Prefetch string `json:"prefetch,omitempty"`

	// Serve browsers: pages inside WeChat, on a PC, and in a web-view of the mini program.
	// Default: they are not served.
	Web *Web `json:"web,omitempty"`

	gateway  *gateway.Gateway
	releases []func() error
}

// CaddyModule returns the module's ID and constructor.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.wxgate", New: func() caddy.Module { return new(Handler) }}
}

// Provision checks the configuration and finds the app. It opens nothing.
func (h *Handler) Provision(ctx caddy.Context) error {
	a, err := app.Find(ctx, "the wxgate handler")
	if err != nil {
		return err
	}
	if h.Prefix == "" {
		h.Prefix = gateway.DefaultPrefix
	}
	config := gateway.Config{Prefix: h.Prefix, ForwardToken: h.ForwardToken, Access: a.Access()}
	config.Guard, err = newGuard(ctx, a, guardConfig{
		Apps: h.Apps, Public: h.Public, Optional: h.Optional, Require: h.Require, TokenFrom: h.TokenFrom, Headers: h.Headers, OnStale: h.OnStale,
		Prefix: strings.TrimSuffix(h.Prefix, "/"), ForwardToken: h.ForwardToken, Wafer: h.Wafer != nil, Web: h.Web, Pass: h.PassFromTrusted, Prefetch: h.Prefetch,
	})
	if err != nil {
		return err
	}
	if len(h.PassFromTrusted) > 0 && trustsEveryone(ctx) {
		return fmt.Errorf("pass_from_trusted: trusted_proxies contains every address, so any client could send %s; list only the addresses of your proxies", h.PassFromTrusted[0])
	}
	admitted := config.Guard.Admitted
	config.Callbacks, config.RawKeys = a.Callbacks(admitted), a.RawKeys(admitted)
	if config.Limits, err = h.Limit.open(h.Prefix, admitted, &h.releases); err != nil {
		return err
	}
	if config.Grace, err = streamGrace(h.StreamGrace); err != nil {
		return err
	}
	if h.CORS != nil {
		if config.CORS, err = h.CORS.resolve(); err != nil {
			return fmt.Errorf("cors: %w", err)
		}
	}
	if config.Envelope, err = h.Envelope.resolve(); err != nil {
		return err
	}
	if h.Metadata {
		if config.Metadata, err = newMetadata(ctx, a, config.Prefix); err != nil {
			return err
		}
	}
	if config.Prefetch, err = h.resolvePrefetch(a, admitted); err != nil {
		return err
	}
	if h.Wafer != nil {
		config.WaferLogin = h.Wafer.path(h.Prefix)
	}
	if err := app.RegisterMetrics(ctx, limitState{}); err != nil {
		return err
	}
	h.gateway, err = gateway.New(config)
	return err
}

// resolvePrefetch returns the path of prefetches, or "" if none is configured. One of the
// admitted apps must be on WeChat.
func (h *Handler) resolvePrefetch(a *app.App, admitted map[auth.AppID]struct{}) (prefetch.Path, error) {
	if h.Prefetch == "" {
		return "", nil
	}
	if !a.AdmitsWeChat(admitted) {
		return "", errors.New("prefetch: only WeChat fetches data, and the site admits no app of platform wechat")
	}
	return prefetch.NewPath(h.Prefetch)
}

// Cleanup releases what Provision acquired.
func (h *Handler) Cleanup() error {
	var errs []error
	for _, release := range h.releases {
		errs = append(errs, release())
	}
	h.releases = nil
	return errors.Join(errs...)
}

// ServeHTTP serves a call of the login API, or passes a request to the next handler with
// the caller's identity, or refuses it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return h.gateway.ServeHTTP(w, r, next)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
