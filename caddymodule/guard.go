package caddymodule

import (
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
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
// steps, whether a client or a proxy sent it: [guard.receive], [guard.decide],
// [guard.send].
type guard struct {
	app       *App
	logger    *zap.Logger
	edge      edge.Edge
	public    edge.PathSet
	optional  edge.PathSet
	require   []requirement
	wafer     *WaferCompat
	admitted  map[auth.AppID]struct{}
	allowance time.Duration // how stale revocations may be
}

// newGuard compiles the configuration. It opens nothing.
func newGuard(ctx caddy.Context, app *App, config guardConfig) (*guard, error) {
	g := &guard{app: app, logger: ctx.Logger(), wafer: config.Wafer}
	var err error
	if g.public, err = edge.NewPathSet(config.Public); err != nil {
		return nil, fmt.Errorf("public: %w", err)
	}
	if g.optional, err = edge.NewPathSet(config.Optional); err != nil {
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
	if err := g.openEdge(config); err != nil {
		return nil, err
	}
	g.warnOfAccessLogs(ctx)
	warnOfTrust(ctx)
	warnOfMetrics(ctx)
	return g, app.wrapTransports(ctx)
}

// openEdge is how the site reads requests.
func (g *guard) openEdge(config guardConfig) error {
	headers, err := edge.NewHeaders(edge.Names(config.Headers))
	if err != nil {
		return err
	}
	if err := g.app.checkAssertion(headers.Names().AssertionAudience); err != nil {
		return err
	}
	credentials, err := edge.NewCredentials(edge.Source(config.TokenFrom), config.ForwardToken || config.Asked, editOriginal)
	if err != nil {
		return err
	}
	if source := credentials.Source(); source.Kind == edge.SourceHeader && headers.Managed(source.Name) {
		return fmt.Errorf("token_from header %s: the gateway reserves this header and removes it from every request", source.Name)
	}
	g.edge = edge.Edge{
		Headers:       headers,
		Credentials:   credentials,
		ComparesPaths: !g.public.Empty() || !g.optional.Empty() || len(g.require) > 0,
		FoldsPaths:    len(g.require) > 0,
		Prefix:        config.Prefix,
		Asks:          config.Asked,
		Trusted:       isTrusted,
	}
	return nil
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
