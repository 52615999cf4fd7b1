package handler

import (
	"encoding/json"
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// errUnreached is a handler that no request reaches: every request goes to the upstream
// unchecked, with the identity that the client claims.
var errUnreached = errors.New("no request reaches it: a reverse_proxy before it serves all of them, unchecked; in a route block, write wxgate before reverse_proxy")

// reached refuses a reverse_proxy without a matcher before this handler, in the same site,
// handle or route block. Only a route block and JSON have an order of their own.
//
// Caddy provisions routes in their order: those before this one have handlers, and the first
// that has JSON is this one's.
func reached(ctx caddy.Context) error {
	for _, route := range siblingRoutes(ctx) {
		if len(route.MatcherSetsRaw) > 0 || len(route.MatcherSets) > 0 {
			if route.HandlersRaw != nil {
				return nil
			}
			continue
		}
		for _, handler := range route.Handlers {
			if proxy, ok := handler.(*reverseproxy.Handler); ok && len(proxy.HandleResponse) == 0 {
				return errUnreached
			}
		}
		if route.HandlersRaw != nil {
			return reachedIn(route)
		}
	}
	return nil
}

// reachedIn looks at the handlers of the route that is being provisioned, up to this one.
func reachedIn(route caddyhttp.Route) error {
	for _, raw := range route.HandlersRaw {
		var handler struct {
			Name     string            `json:"handler"`
			Response []json.RawMessage `json:"handle_response"` // as forward_auth has, which passes requests on
		}
		if err := json.Unmarshal(raw, &handler); err != nil {
			return err
		}
		switch {
		case handler.Name == "wxgate", handler.Name == "wxgate_verify":
			return nil
		case handler.Name == "reverse_proxy" && len(handler.Response) == 0:
			return errUnreached
		}
	}
	return nil
}
