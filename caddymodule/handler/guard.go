package handler

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/caddymodule/app"
	"github.com/wxgate/wxgate/caddymodule/proxylog"
	"github.com/wxgate/wxgate/caddymodule/request"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/gateway"
)

// guardConfig is the configuration that [Handler] and [Verify] share.
type guardConfig struct {
	Apps      []string
	Public    []string
	Optional  []string
	Require   []Requirement
	TokenFrom TokenSource
	Headers   HeaderNames
	OnStale   *OnStale
	Web       *Web

	// Only for Handler.
	Pass         []string // headers that trusted proxies set
	Prefix       string   // of the login API; "" if there is none
	ForwardToken bool     // leave the token in the request
	Wafer        bool     // read the tokens of the Wafer SDKs
	Prefetch     string   // the path of prefetches; "" for none

	// Only for Verify: the request asks about another request, and is not passed on.
	Asked bool
}

// newGuard compiles the configuration. It opens nothing.
func newGuard(ctx caddy.Context, a *app.App, config guardConfig) (*gateway.Guard, error) {
	g := &gateway.Guard{Acquire: a.Acquire, Server: request.Server(), Failures: a.Failures(), Logger: ctx.Logger(), Wafer: config.Wafer}
	var err error
	if g.Public, err = edge.NewPathSet(config.Public); err != nil {
		return nil, fmt.Errorf("public: %w", err)
	}
	if g.Optional, err = edge.NewPathSet(config.Optional); err != nil {
		return nil, fmt.Errorf("optional: %w", err)
	}
	if g.Admitted, err = a.Admitted(config.Apps); err != nil {
		return nil, err
	}
	if g.Browser, err = config.Web.open(ctx, a, config.Prefix, g.Admitted); err != nil {
		return nil, err
	}
	if g.Require, err = newRequirements(config.Require, a, g.Admitted); err != nil {
		return nil, err
	}
	if ranked, _ := a.Ranked(g.Admitted); config.Headers.Risk != "" && len(ranked) == 0 {
		return nil, fmt.Errorf("headers risk: %w", errNotRanked)
	}
	if g.Allowance, err = config.OnStale.allowance(); err != nil {
		return nil, err
	}
	if err := openEdge(g, a, config); err != nil {
		return nil, err
	}
	if err := reached(ctx); err != nil {
		return nil, err
	}
	warnOfAccessLogs(ctx, g)
	warnOfTrust(ctx)
	warnOfMetrics(ctx)
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return g, nil
	}
	a.AddSite(server, siteName(config))
	if a.FirstGuard(server) {
		return g, proxylog.Wrap(ctx, server, a.StandardTransport())
	}
	return g, nil
}

// siteName returns the name of a site in the start line of the log.
func siteName(config guardConfig) string {
	switch {
	case config.Asked:
		return "wxgate_verify"
	case config.Prefix == "":
		return "/"
	}
	return config.Prefix
}

// openEdge configures how the site reads requests.
func openEdge(g *gateway.Guard, a *app.App, config guardConfig) error {
	headers, err := edge.NewHeaders(edge.Names(config.Headers))
	if err != nil {
		return err
	}
	if err := headers.Pass(config.Pass); err != nil {
		return err
	}
	if err := a.CheckAssertion(headers.Names().AssertionAudience); err != nil {
		return err
	}
	credentials, err := edge.NewCredentials(edge.Source(config.TokenFrom), config.ForwardToken || config.Asked, request.EditOriginal)
	if err != nil {
		return err
	}
	if source := credentials.Source(); source.Kind == edge.SourceHeader && headers.Managed(source.Name) {
		return fmt.Errorf("token_from header %s: the gateway reserves this header and removes it from every request", source.Name)
	}
	if source := credentials.Source(); source.Kind == edge.SourceCookie && g.Browser != nil && g.Browser.Owns(source.Name) {
		return fmt.Errorf("token_from cookie %s: browser sessions have this cookie; use another name, or set cookie in web", source.Name)
	}
	g.Edge = edge.Edge{
		Headers:       headers,
		Credentials:   credentials,
		ComparesPaths: !g.Public.Empty() || !g.Optional.Empty() || len(g.Require) > 0 || config.Prefetch != "",
		FoldsPaths:    len(g.Require) > 0,
		Prefix:        config.Prefix,
		Asks:          config.Asked,
		Trusted:       request.Trusted,
	}
	return nil
}
