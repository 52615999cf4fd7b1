package handler

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/caddymodule/app"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/gateway/metadata"
)

// newMetadata returns the metadata of the issuer. The site must serve the issuer's host:
// verifiers request the metadata there.
func newMetadata(ctx caddy.Context, a *app.App, prefix string) (*metadata.Metadata, error) {
	issuer, err := a.PublicIssuer()
	if err != nil {
		return nil, err
	}
	m, err := metadata.New(issuer, gateway.KeySetPath, strings.TrimSuffix(prefix, "/")+"/revoke")
	if err != nil {
		return nil, err
	}
	if !servesHost(ctx, m.Host) {
		return nil, fmt.Errorf("metadata: the site does not serve the issuer's host %s; use the site with this address, or fix token issuer", m.Host)
	}
	return m, nil
}

// servesHost reports whether the route of the server that is being provisioned accepts a
// host. A site without a host name accepts every host.
func servesHost(ctx caddy.Context, host string) bool {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	sets := siteMatchers(ctx)
	if !ok || len(sets) == 0 {
		return true
	}
	r := &http.Request{Method: http.MethodGet, URL: new(url.URL), Host: host, Header: http.Header{}}
	r = caddyhttp.PrepareRequest(r.WithContext(ctx), caddy.NewReplacer(), nil, server)
	return acceptsHost(sets, r)
}

// siteMatchers returns the matchers of the site that is being provisioned. Caddy provisions
// routes in order and then drops the JSON of their handlers: it is the first route that still
// has it.
func siteMatchers(ctx caddy.Context) caddyhttp.MatcherSets {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil
	}
	for _, route := range server.Routes {
		if route.HandlersRaw != nil {
			return route.MatcherSets
		}
	}
	return nil
}

// acceptsHost reports whether the host matchers of one of the sets accept the host of r. It
// ignores other matchers, such as those of paths.
func acceptsHost(sets caddyhttp.MatcherSets, r *http.Request) bool {
	for _, set := range sets {
		accepted := true
		for _, matcher := range set {
			if hosts, ok := matcher.(*caddyhttp.MatchHost); ok {
				matched, err := hosts.MatchWithError(r)
				accepted = accepted && matched && err == nil
			}
		}
		if accepted {
			return true
		}
	}
	return false
}
