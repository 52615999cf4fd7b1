package caddymodule

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/internal/problem"
)

// screen refuses what would leave the rules of a request and an answer.
//
// An upgrade turns the connection into a tunnel that no rule sees into. Only
// WebSocket is let through: over h2c, an upstream that answers 101 would accept
// further requests with any header, "x-wx-openid: victim" among them
// (CVE-2026-88008). CONNECT asks for a tunnel outright, but for the extended
// CONNECT that WebSocket over HTTP/2 and HTTP/3 is (RFC 8441, RFC 9220); TRACE
// sends the credentials back.
func screen(r *http.Request) *problem.Problem {
	switch r.Method {
	case http.MethodTrace:
		return problem.MethodNotAllowed("TRACE is not served.")
	case http.MethodConnect:
		if !extendedConnect(r) {
			return problem.MethodNotAllowed("CONNECT is not served, but for WebSocket over HTTP/2 and HTTP/3.")
		}
	}
	upgrades, ok := r.Header["Upgrade"]
	if ok && (len(upgrades) != 1 || !strings.EqualFold(strings.TrimSpace(upgrades[0]), "websocket")) {
		return problem.BadRequest("The only protocol to upgrade to is websocket.")
	}
	delete(r.Header, "Http2-Settings") // belongs to an h2c upgrade alone
	return nil
}

// pathOverrides are headers, folded, that some framework or middleware takes the
// path from, or a part of it: Symfony and IIS (CVE-2018-14773), WSGI prefix
// middleware, Envoy, Traefik, Azure and others. docs/verify.md has other proxies
// remove the same names.
var pathOverrides = []string{
	"x-original-url", "x-original-uri", "x-original-path", "x-rewrite-url", "x-rewrite-uri", "x-override-url", "x-override-uri",
	"x-script-name", "script-name", "x-path-info", "path-info", "x-http-path-override", "x-path-override", "x-request-uri", "request-uri",
	"x-forwarded-path", "x-forwarded-uri", "x-forwarded-url", "x-forwarded-script-name", "x-forwarded-base",
	"x-forwarded-pathbase", "x-forwarded-request-uri", "x-forwarded-context", "x-original-request-uri", "x-ms-original-url",
	"x-http-destinationurl", "x-ingress-path", "x-proxy-url", "x-envoy-original-path", "x-replaced-path", "x-proxy-path", "x-base-path", "x-waws-unencoded-url", "x-accel-redirect",
}

// overrideFamily matches names that are like those, in the spellings of frameworks
// that no list knows: X-Forwarded-Basepath, X-Original-Pathname, X-Scriptname. Names
// that programs choose for other things, such as X-Callback-Url, do not match.
var overrideFamily = regexp.MustCompile(`(?i)^[\W_]*x[\W_](.*[\W_])?(` +
	`(forwarded|original|rewrit|overrid|replac|proxy).*(path|ur[il]|base|script|context)` +
	`|(original|rewrit|overrid|replac|proxy).*prefix` +
	`|request(ed)?[\W_]*(path|ur[il])` +
	`|(path|ur[il])[\W_]*(overrid|info)` +
	`|script[\W_]*name)`)

// prefixOverride is believed of trusted proxies, which tell an upstream so where they
// have mounted it (CVE-2026-35051).
const prefixOverride = "x-forwarded-prefix"

// dropPathOverrides keeps the path that was decided on the one that is served:
// "GET /public/x" with "X-Rewrite-URL: /admin" is public to the gateway only.
func dropPathOverrides(r *http.Request) {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	for name := range r.Header {
		if overridesPath(name) || !trusted && isFolded(name, prefixOverride) {
			delete(r.Header, name)
		}
	}
}

func overridesPath(name string) bool {
	return overrideFamily.MatchString(name) || slices.ContainsFunc(pathOverrides, func(override string) bool { return isFolded(name, override) })
}

func isFolded(name, folded string) bool {
	_, whole := matchFolded(name, folded)
	return whole
}

// extendedConnect reports whether a CONNECT is for WebSocket; net/http and
// quic-go put the :protocol pseudo-header in different places.
func extendedConnect(r *http.Request) bool {
	switch r.ProtoMajor {
	case 2:
		return r.Header.Get(":protocol") == "websocket"
	case 3:
		return r.Proto == "websocket"
	default:
		return false
	}
}

// tooEarly reports whether a request came in TLS early data, which anyone on the
// way may send again (RFC 8470): a login or a refresh must not be replayed.
// Whatever Early-Data says, and how often, it says 1 (section 5.1): a client that
// sends 0 would otherwise hide what a proxy adds.
func tooEarly(r *http.Request) bool {
	return r.TLS != nil && !r.TLS.HandshakeComplete || r.Header["Early-Data"] != nil
}

// isPreflight reports whether a request is a CORS preflight (Fetch section
// 3.2.2), and not just an OPTIONS that wants to be let in without a token.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}
