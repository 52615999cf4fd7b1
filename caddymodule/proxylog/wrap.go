package proxylog

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// Wrap adds [Transport] to every reverse_proxy to which a handler of this server may pass
// a request. These proxies come after the handler, and Caddy provisions handlers in order:
// they are still JSON when the server's first handler of wxgate is provisioned. With
// standard, net/http sends all requests.
//
// It does not find a proxy inside another module's configuration, or one that was
// provisioned before. Such a proxy logs identities as Caddy without wxgate does.
func Wrap(ctx caddy.Context, server *caddyhttp.Server, standard bool) error {
	for _, routes := range pendingRoutes(ctx, server) {
		for _, route := range routes {
			if err := wrapHandlers(route.HandlersRaw, standard); err != nil {
				return err
			}
		}
	}
	return nil
}

// pendingRoutes returns the server's routes, and the routes around the handler that is being
// provisioned: the server itself has those only as JSON, which was already decoded.
func pendingRoutes(ctx caddy.Context, server *caddyhttp.Server) []caddyhttp.RouteList {
	pending := []caddyhttp.RouteList{server.Routes}
	if server.Errors != nil {
		pending = append(pending, server.Errors.Routes)
	}
	for _, route := range server.NamedRoutes {
		pending = append(pending, caddyhttp.RouteList{*route})
	}
	for _, module := range ctx.Modules() {
		switch around := module.(type) {
		case *caddyhttp.Subroute:
			pending = append(pending, around.Routes)
			if around.Errors != nil {
				pending = append(pending, around.Errors.Routes)
			}
		case *reverseproxy.Handler: // handle_response, as in forward_auth
			pending = append(pending, responseRoutes(around.HandleResponse)...)
		case *intercept.Intercept:
			pending = append(pending, responseRoutes(around.HandleResponse)...)
		}
	}
	return pending
}

func responseRoutes(handlers []caddyhttp.ResponseHandler) []caddyhttp.RouteList {
	var lists []caddyhttp.RouteList
	for _, handler := range handlers {
		lists = append(lists, handler.Routes)
	}
	return lists
}

// wrapHandlers replaces, in place, the handlers that contain a reverse_proxy.
func wrapHandlers(handlers []json.RawMessage, standard bool) error {
	for i, raw := range handlers {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		var handler any
		if err := decoder.Decode(&handler); err != nil {
			return fmt.Errorf("reading a handler's configuration: %w", err)
		}
		if !wrapProxies(handler, standard) {
			continue
		}
		wrapped, err := json.Marshal(handler)
		if err != nil {
			return fmt.Errorf("wrapping the transport of reverse_proxy: %w", err)
		}
		handlers[i] = wrapped
	}
	return nil
}

// wrapProxies wraps the transport of every reverse_proxy in a handler's JSON and
// reports whether there was one.
func wrapProxies(config any, standard bool) (found bool) {
	switch config := config.(type) {
	case []any:
		for _, element := range config {
			found = wrapProxies(element, standard) || found
		}
	case map[string]any:
		for _, member := range config {
			found = wrapProxies(member, standard) || found
		}
		if config["handler"] != "reverse_proxy" {
			return found
		}
		wrapper := map[string]any{"protocol": transportName}
		if standard {
			wrapper["standard"] = true
		}
		if retriesByMatch(config) {
			wrapper["all_headers"] = true
		}
		if transport, ok := config["transport"]; ok {
			wrapper["transport"] = transport
		}
		config["transport"] = wrapper
		return true
	}
	return found
}

// retriesByMatch reports whether a reverse_proxy matches the sent request to decide whether
// to retry it.
func retriesByMatch(proxy map[string]any) bool {
	balancing, _ := proxy["load_balancing"].(map[string]any)
	return balancing["retry_match"] != nil
}
