package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler serves the login API of the configured mini programs under its prefix
// and guards everything else: a request passes to the next handler with its
// caller's identity in the headers, or not at all.
//
// It sets the placeholders `{wxgate.openid}`, `{wxgate.unionid}`,
// `{wxgate.appid}`, `{wxgate.source}`, `{wxgate.session}` and `{wxgate.phone}`,
// all empty for an anonymous request, and `{http.auth.user.id}`: a keyed hash
// that names the user in access logs without telling the openid.
type Handler struct {
	// Where the login API lives. Default `/v1.0/pub`.
	Prefix string `json:"prefix,omitempty"`

	// The appids whose users may enter. Default: all that are configured.
	Apps []string `json:"apps,omitempty"`

	// Paths that need no token: exact, or prefixes that end in `/*`. Identity
	// headers are stripped there all the same.
	Public []string `json:"public,omitempty"`

	// Paths where a token is optional. A bad one is still refused.
	Optional []string `json:"optional,omitempty"`

	// What an identity must have, and where. Default: nothing more than a token.
	Require []Requirement `json:"require,omitempty"`

	// Where clients put the token. Default: Authorization, scheme Bearer.
	TokenFrom TokenSource `json:"token_from,omitzero"`

	// Leave the token in the request for the upstream. Default: it is removed.
	ForwardToken bool `json:"forward_token,omitempty"`

	// The names of the identity headers. Default: WeChat Cloud Hosting's.
	Headers HeaderNames `json:"headers,omitzero"`

	// Cross-origin access for browsers. Default: none; a preflight is refused.
	CORS *CORS `json:"cors,omitempty"`

	// How much clients may cost.
	Limit Limits `json:"limit,omitzero"`

	// With store redis, what happens when revocations of other machines cannot be
	// heard. Default: tokens go on admitting for 30s, then the answer is 503.
	OnStale *OnStale `json:"on_stale,omitempty"`

	// How long a response that is under way may go on after its session was ended by
	// a logout or a revocation. Default: 10s. WebSockets and event streams end at once.
	StreamGrace caddy.Duration `json:"stream_grace,omitempty"`

	// Serve the client SDKs of Tencent Wafer too. Default: they are strangers.
	Wafer *WaferCompat `json:"wafer,omitempty"`

	app         *App
	limits      *limits
	logger      *zap.Logger
	headers     *identityHeaders
	credentials credentials
	public      pathSet
	optional    pathSet
	require     []requirement
	endpoints   map[string]endpoint
	callbacks   []*wechat.Callback // of the apps that have one
	admitted    map[auth.AppID]struct{}
	allowance   time.Duration // how stale revocations may be
	grace       time.Duration // how long a response may outlive its session
	releases    []func() error
}

// CaddyModule returns the module's ID and constructor.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.wxgate", New: func() caddy.Module { return new(Handler) }}
}

// Provision checks the configuration and finds the app. It opens nothing.
func (h *Handler) Provision(ctx caddy.Context) error {
	var err error
	if h.app, err = findApp(ctx, "the wxgate handler"); err != nil {
		return err
	}
	h.logger = ctx.Logger()
	if h.Prefix == "" {
		h.Prefix = defaultPrefix
	}
	if err := h.compile(); err != nil {
		return err
	}
	h.warnOfAccessLogs(ctx)
	warnOfTrust(ctx)
	warnOfMetrics(ctx)
	if err := h.app.wrapTransports(ctx); err != nil {
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

// compile turns the configuration into what a request needs.
func (h *Handler) compile() error {
	var err error
	if h.headers, err = newIdentityHeaders(h.Headers); err != nil {
		return err
	}
	if err := h.app.checkAssertion(h.headers.names.AssertionAudience); err != nil {
		return err
	}
	if h.credentials, err = newCredentials(h.TokenFrom, h.ForwardToken); err != nil {
		return err
	}
	if h.headers.isManaged(h.credentials.source.Name) && h.credentials.source.Kind == sourceHeader {
		return fmt.Errorf("token_from header %s: that header is the gateway's own and stripped from every request", h.credentials.source.Name)
	}
	if h.public, err = newPathSet(h.Public); err != nil {
		return fmt.Errorf("public: %w", err)
	}
	if h.optional, err = newPathSet(h.Optional); err != nil {
		return fmt.Errorf("optional: %w", err)
	}
	if h.admitted, err = h.app.admitted(h.Apps); err != nil {
		return err
	}
	if h.require, err = newRequirements(h.Require, h.app); err != nil {
		return err
	}
	if h.limits, err = newLimits(h.Limit); err != nil {
		return err
	}
	if h.allowance, err = h.OnStale.allowance(); err != nil {
		return err
	}
	if h.grace, err = streamGrace(h.StreamGrace); err != nil {
		return err
	}
	if err := h.CORS.validate(); err != nil {
		return fmt.Errorf("cors: %w", err)
	}
	if h.endpoints, err = newEndpoints(h.Prefix); err != nil {
		return err
	}
	h.addCallback()
	return h.Wafer.addTo(h.endpoints, h.Prefix)
}

// ServeHTTP strips first and decides later, so that no way out of here carries
// an identity that a client wrote.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	b := h.takeBearer(r)
	if p := screen(r); p != nil {
		return h.refuse(w, r, nil, p)
	}
	w, answered := h.CORS.handle(w, r)
	if answered {
		return nil
	}
	if h.decidesOnPaths() {
		dropPathOverrides(r)
	}
	if e, ok := h.endpoints[r.URL.Path]; ok && canonicalRequestPath(r) {
		return h.serveEndpoint(w, r, e, b)
	}
	path, err := h.requestPath(r)
	if err == nil && h.belongsToAPI(r) {
		err = errNoSuchCall
	}
	if err != nil {
		return h.refuse(w, r, nil, err)
	}
	if h.anonymous(path, b) {
		return h.passAnonymous(w, r, next)
	}
	gate, err := h.app.acquire()
	if err != nil {
		return h.refuse(w, r, nil, err)
	}
	defer gate.release()
	id, err := h.identify(gate, b)
	if err == nil {
		err = h.enters(gate, b, id)
	}
	if err == nil {
		err = h.meets(id, path)
	}
	if err != nil {
		return h.refuse(w, r, id, h.Wafer.forWafer(err, b, false))
	}
	return h.admit(w, r, next, gate, id)
}

// takeBearer strips the request of all that a client must not send upstream, and
// returns the token that was in it. The Wafer SDKs' headers come first: they lie
// among those that are stripped.
func (h *Handler) takeBearer(r *http.Request) bearer {
	wafer := h.Wafer.take(r.Header)
	if n := h.headers.strip(r); n > 0 {
		h.spoofed(r, n)
	}
	query := r.URL.RawQuery // the token may be taken out of it
	raw, err := h.credentials.take(r)
	return wafer.join(bearer{raw: raw, err: err}, query)
}

// anonymous reports whether a request may pass without an identity. A path that
// requires something of one is never public: of two rules that disagree, the
// stricter holds.
func (h *Handler) anonymous(path requestPath, b bearer) bool {
	for _, r := range h.require {
		if r.covers(path) {
			return false
		}
	}
	return h.public.match(path.plain) || !b.sent() && h.optional.match(path.plain)
}

// decidesOnPaths reports whether some path is treated unlike another. Only then
// does it matter that the upstream reads the path as we do.
func (h *Handler) decidesOnPaths() bool {
	return !h.public.empty() || !h.optional.empty() || len(h.require) > 0
}

// identify turns a token into the identity that it is valid for. Whether that may
// enter this site is for [Handler.enters] to say: a refusal there names the user
// in the access log.
func (h *Handler) identify(gate *gate, b bearer) (*auth.Identity, error) {
	switch {
	case b.err != nil:
		return nil, b.err
	case b.raw == "":
		return nil, auth.ErrMissingToken
	}
	return gate.service.Authenticate(b.raw)
}

// enters checks that an identified user may enter this site.
func (h *Handler) enters(gate *gate, b bearer, id *auth.Identity) error {
	if err := h.fresh(gate); err != nil {
		return err
	}
	if err := b.wafer.check(id); err != nil {
		return err
	}
	if !h.admits(id.App) {
		return fmt.Errorf("%w: a token of app %q, which this site does not admit", auth.ErrAppNotAdmitted, id.App)
	}
	return nil
}

// admits reports whether an app's users may enter this site.
func (h *Handler) admits(app auth.AppID) bool {
	_, ok := h.admitted[app]
	return ok
}

// meets checks what the path requires of an identity.
func (h *Handler) meets(id *auth.Identity, path requestPath) error {
	for _, r := range h.require {
		if err := r.check(id, path); err != nil {
			return err
		}
	}
	return nil
}

// passAnonymous hands the request on without any identity.
func (h *Handler) passAnonymous(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	setPlaceholders(r, nil)
	metrics.requests.WithLabelValues(outcomeAnonymous).Inc()
	if h.ForwardToken {
		r = r.WithContext(h.withIdentity(r.Context(), new(auth.Identity)))
	}
	err := next.ServeHTTP(w, r)
	if err != nil {
		h.forget(r)
	}
	return err
}

// admit hands the request on with its identity.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, gate *gate, id *auth.Identity) error {
	assertion, err := h.assertion(gate, id)
	if err != nil {
		return h.refuse(w, r, id, err)
	}
	setPlaceholders(r, id)
	h.headers.set(r.Header, id, assertion)
	metrics.requests.WithLabelValues(outcomeAdmitted).Inc()
	err = h.watched(gate, id, w, r, next)
	if err != nil {
		h.forget(r)
		setPlaceholders(r, nil)
		nameUser(r, id) // the access log is written after the error routes
	}
	return err
}

// forget takes identity and token out of a request that goes to Caddy's error
// routes. They get this very header map, and must not forward either to an error
// service (CVE-2026-41181), not even where the upstream may have the token.
func (h *Handler) forget(r *http.Request) {
	h.headers.strip(r)
	_, _ = credentials{source: h.credentials.source}.take(r) // two tokens are taken out as well
}

// assertion is the signed identity for the upstream, when one is configured.
func (h *Handler) assertion(gate *gate, id *auth.Identity) (string, error) {
	if h.headers.names.Assertion == "" {
		return "", nil
	}
	return gate.tokens.IssueAssertion(id, h.headers.names.AssertionAudience)
}

// refuse responds with a problem. The cause goes to the log. The identity is nil
// unless the request's token was valid; the access log then names its user.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, id *auth.Identity, err error) error {
	p := problemOf(err)
	setPlaceholders(r, nil)
	if id != nil {
		nameUser(r, id)
	}
	metrics.requests.WithLabelValues(p.Code).Inc()
	h.log(p, r)
	return p.write(w, r)
}

func (h *Handler) log(p *problem, r *http.Request) {
	h.app.failures.log(h.logger, "request refused", p, r)
}

// spoofed counts what no honest client sends: a free sign of an intrusion.
func (h *Handler) spoofed(r *http.Request, n int) {
	metrics.stripped.Add(float64(n))
	if entry := h.logger.Check(zapcore.DebugLevel, "identity headers of a client stripped"); entry != nil {
		entry.Write(zap.Int("headers", n), zap.String("path", r.URL.Path))
	}
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
