package caddymodule

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/problem"
)

func init() {
	caddy.RegisterModule(new(Verify))
}

// Verify decides for another proxy whether a request may pass: for nginx's auth_request,
// Traefik's ForwardAuth, Envoy's ext_authz over HTTP, Caddy's forward_auth. It returns
// 200 with the identity in the response headers, 200 without an identity for an
// anonymous request, or 401 or 403.
//
// It decides as [Handler] does, with the same options, and sets the same placeholders.
type Verify struct {
	// The appids whose users are admitted. Default: all configured apps.
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

	// Where the original path is: `forwarded` is the header X-Forwarded-Uri, which
	// Caddy and Traefik send; `original` is the header X-Original-URI, which nginx is
	// configured to send; `request` is the path of the request itself, as with Envoy.
	// The headers are accepted from `trusted_proxies` only, which must not contain
	// every address. With `original`, a refusal also has the problem document in the
	// header X-Wxgate-Problem, because nginx drops the body. Default `forwarded`.
	PathFrom string `json:"path_from,omitempty"`

	guard   *guard
	pathIn  string    // the header; "" for the request itself
	blinded sync.Once // logs the first request whose path is not known
}

const (
	pathFromForwarded = "forwarded"
	pathFromOriginal  = "original"
	pathFromRequest   = "request"
)

// pathHeaders are the headers of each PathFrom, and of all that might be believed
// in its place.
var pathHeaders = map[string]string{
	pathFromForwarded: "X-Forwarded-Uri",
	pathFromOriginal:  "X-Original-Uri",
	pathFromRequest:   "",
}

// CaddyModule returns the module's ID and constructor.
func (*Verify) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.wxgate_verify", New: func() caddy.Module { return new(Verify) }}
}

// Provision checks the configuration and finds the app. It opens nothing.
func (v *Verify) Provision(ctx caddy.Context) error {
	if v.PathFrom == "" {
		v.PathFrom = pathFromForwarded
	}
	var ok bool
	if v.pathIn, ok = pathHeaders[v.PathFrom]; !ok {
		return fmt.Errorf("unrecognized path_from %q; expected one of: forwarded, original, request", v.PathFrom)
	}
	app, err := findApp(ctx, "the wxgate_verify handler")
	if err != nil {
		return err
	}
	v.guard, err = newGuard(ctx, app, guardConfig{
		Apps: v.Apps, Public: v.Public, Optional: v.Optional, Require: v.Require, TokenFrom: v.TokenFrom, Headers: v.Headers, OnStale: v.OnStale,
		Asked: true,
	})
	if err != nil {
		return err
	}
	// A client that passes for a trusted proxy names a public path in the header
	// and enters everywhere.
	if v.pathIn != "" && v.needsURI() && trustsEveryone(ctx) {
		return fmt.Errorf("wxgate_verify with public, optional, require or token_from query: trusted_proxies contains every address, so any client could send %s; list only the addresses of your proxies", v.pathIn)
	}
	return nil
}

// ServeHTTP responds to every request itself and never calls next.
func (v *Verify) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	d, err := v.decide(r)
	defer d.release()
	header := w.Header()
	if err != nil {
		p := deny(err)
		if v.PathFrom == pathFromOriginal {
			copyProblem(header, r, p)
		}
		return v.guard.refuse(w, r, d.id, p)
	}
	header.Set("Cache-Control", "no-store")
	v.guard.send(r, header, d)
	w.WriteHeader(http.StatusOK)
	return nil
}

// decide decides on the request that the client made.
func (v *Verify) decide(r *http.Request) (decision, error) {
	asked, err := v.asked(r)
	if err != nil {
		return decision{}, err
	}
	in, err := v.guard.receive(asked)
	if err != nil {
		return decision{}, err
	}
	return v.guard.decide(in)
}

// asked is the request that the client made, as far as it matters: its method, its
// URI, and the headers that the proxy passes on.
//
// Caddy sends the client's Upgrade along, and nginx does with docs/verify.md. The
// client's method is in X-Forwarded-Method, or is that of the asking request itself.
// A proxy that passes "Upgrade: h2c" on gives the client a tunnel to the upstream, in
// which it sends "x-wx-openid: victim".
//
// A client can send X-Forwarded-Uri as well, and some proxies hand it on, so the
// header counts only if it comes from a proxy that Caddy trusts. If the decision
// needs the path, and it is not known, nobody enters: taking the path of the
// asking request instead would leave "require phone on /pay/*" without effect.
func (v *Verify) asked(r *http.Request) (*http.Request, error) {
	asked := new(*r)
	if slices.Contains(r.Header["X-Forwarded-Method"], http.MethodTrace) {
		asked.Method = http.MethodTrace
	}
	if v.pathIn == "" {
		return asked, nil
	}
	trusted := isTrusted(r)
	if values := r.Header[v.pathIn]; trusted && len(values) > 0 {
		var err error
		asked.URL, err = v.believe(r, values)
		return asked, err
	}
	if !v.needsURI() {
		return asked, nil
	}
	v.blinded.Do(func() {
		v.guard.logger.Error("wxgate_verify cannot determine the original URI: add the proxy to trusted_proxies, and have it send "+v.pathIn+" or set path_from",
			zap.Bool("trusted_proxy", trusted), zap.String("path_from", v.PathFrom))
	})
	return nil, problem.Forbidden("The gateway cannot determine the original URI.")
}

// needsURI reports whether the decision depends on the URI that the client asked for.
func (v *Verify) needsURI() bool {
	return v.guard.edge.ComparesPaths || v.guard.edge.Credentials.Source().Kind == edge.SourceQuery
}

// believe reads the path from its header. Another such header beside it, that
// says something else, was written by a client: it is not a matter of luck which
// one counts.
func (v *Verify) believe(r *http.Request, values []string) (*url.URL, error) {
	for _, name := range pathHeaders {
		if other := r.Header[name]; name != v.pathIn && len(other) > 0 && other[0] != values[0] {
			return nil, problem.BadRequest("Two headers contain different paths.")
		}
	}
	u, err := url.ParseRequestURI(values[0])
	if err != nil || len(values) != 1 || u.Host != "" || u.Scheme != "" || u.Path == "" {
		return nil, problem.BadRequest("The original URI is not a valid path.")
	}
	return u, nil
}

// deny makes 403 of what is neither 401 nor the gateway's own failure: nginx knows
// no other refusals, and makes 500 of them.
func deny(err error) *problem.Problem {
	p := *problem.Of(err) // some are shared
	if p.Status < http.StatusInternalServerError && p.Status != http.StatusUnauthorized {
		p.Status = http.StatusForbidden
	}
	return &p
}

// headerProblem carries the problem document of a refusal to nginx, whose
// auth_request keeps a refusal's headers and drops its body.
const headerProblem = "X-Wxgate-Problem"

// copyProblem writes the problem document into [headerProblem].
func copyProblem(header http.Header, r *http.Request, p *problem.Problem) {
	if document, err := p.Document(requestID(r)); err == nil {
		header.Set(headerProblem, string(document))
	}
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Verify)(nil)
	_ caddyhttp.MiddlewareHandler = (*Verify)(nil)
)
