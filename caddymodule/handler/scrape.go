package handler

import (
	"encoding/json"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// warnOfMetrics warns at load if a `metrics` handler runs behind this handler:
// Prometheus has no access token and gets 401, and every user who is logged in can
// read the operator's metrics.
//
// It reads the JSON of the handlers in the same block. Handlers after this one still
// have it, because Caddy provisions handlers in order.
func warnOfMetrics(ctx caddy.Context) {
	for _, route := range siblingRoutes(ctx) {
		for _, raw := range route.HandlersRaw {
			var handler any
			if json.Unmarshal(raw, &handler) == nil && servesMetrics(handler) {
				ctx.Logger().Warn("metrics is inside a site that wxgate guards: Prometheus gets 401, and every logged-in user can read the metrics; scrape the admin endpoint or a separate site instead: see docs/observability.md")
				return
			}
		}
	}
}

// siblingRoutes returns the routes of the innermost site, handle or route block around
// the handler that is being provisioned.
func siblingRoutes(ctx caddy.Context) caddyhttp.RouteList {
	for _, module := range slices.Backward(ctx.Modules()) {
		if around, ok := module.(*caddyhttp.Subroute); ok {
			return around.Routes
		}
	}
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		return server.Routes
	}
	return nil
}

// servesMetrics reports whether a handler's JSON contains a metrics handler.
func servesMetrics(config any) bool {
	switch config := config.(type) {
	case []any:
		return slices.ContainsFunc(config, servesMetrics)
	case map[string]any:
		if config["handler"] == "metrics" {
			return true
		}
		for _, member := range config {
			if servesMetrics(member) {
				return true
			}
		}
	}
	return false
}
