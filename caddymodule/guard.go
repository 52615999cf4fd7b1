package caddymodule

import (
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

// guardConfig is what [Handler] and [Verify] are both configured with.
type guardConfig struct {
	Apps      []string
	Public    []string
	Optional  []string
	Require   []Requirement
	TokenFrom TokenSource
	Headers   HeaderNames
	OnStale   *OnStale

	// Of a handler alone.
	Prefix       string       // of the login API; "" if there is none
	ForwardToken bool         // leave the token in the request
	Wafer        *WaferCompat // read the tokens of the Wafer SDKs

	// Of Verify alone: the request only asks about another, and goes nowhere.
	Asked bool
}

// guard decides which requests may pass. Every request goes through the same three
// steps, whoever asks: [guard.receive], [guard.decide], [guard.send].
type guard struct {
	app         *App
	logger      *zap.Logger
	headers     *identityHeaders
	credentials credentials
	public      pathSet
	optional    pathSet
	require     []requirement
	prefix      string // without a slash at its end; "" without a login API
	asked       bool   // see guardConfig
	wafer       *WaferCompat
	admitted    map[auth.AppID]struct{}
	allowance   time.Duration // how stale revocations may be
}

// newGuard compiles the configuration. It opens nothing.
func newGuard(ctx caddy.Context, app *App, config guardConfig) (*guard, error) {
	g := &guard{app: app, logger: ctx.Logger(), prefix: config.Prefix, wafer: config.Wafer, asked: config.Asked}
	var err error
	if g.headers, err = newIdentityHeaders(config.Headers); err != nil {
		return nil, err
	}
	if err := app.checkAssertion(g.headers.names.AssertionAudience); err != nil {
		return nil, err
	}
	if g.credentials, err = newCredentials(config.TokenFrom, config.ForwardToken || config.Asked); err != nil {
		return nil, err
	}
	if source := g.credentials.source; source.Kind == sourceHeader && g.headers.isManaged(source.Name) {
		return nil, fmt.Errorf("token_from header %s: that header is the gateway's own and stripped from every request", source.Name)
	}
	if g.public, err = newPathSet(config.Public); err != nil {
		return nil, fmt.Errorf("public: %w", err)
	}
	if g.optional, err = newPathSet(config.Optional); err != nil {
		return nil, fmt.Errorf("optional: %w", err)
	}
	if g.admitted, err = app.admitted(config.Apps); err != nil {
		return nil, err
	}
	if g.require, err = newRequirements(config.Require, app); err != nil {
		return nil, err
	}
	if g.allowance, err = config.OnStale.allowance(); err != nil {
		return nil, err
	}
	g.warnOfAccessLogs(ctx)
	warnOfTrust(ctx)
	warnOfMetrics(ctx)
	return g, app.wrapTransports(ctx)
}

// decidesOnPaths reports whether some path is treated unlike another. Only then
// does it matter that the upstream reads the path as the gateway does.
func (g *guard) decidesOnPaths() bool {
	return !g.public.empty() || !g.optional.empty() || len(g.require) > 0
}

// refuse responds with a problem. The cause goes to the log. The identity is nil
// unless the request's token was valid; the access log then names its user.
func (g *guard) refuse(w http.ResponseWriter, r *http.Request, id *auth.Identity, err error) error {
	p := problem.Of(err)
	setPlaceholders(r, nil)
	if id != nil {
		nameUser(r, id)
	}
	metrics.requests.WithLabelValues(p.Code).Inc()
	g.log(p, r)
	return writeProblem(w, r, p)
}

func (g *guard) log(p *problem.Problem, r *http.Request) {
	g.app.failures.log(g.logger, "request refused", p, r)
}
