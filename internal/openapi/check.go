// Package openapi is the proxy of services to WeChat's API without Caddy: which calls are
// allowed, what of a call is sent, and how WeChat's response is returned.
package openapi

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/wechat"
)

// neverCalled are paths that no allow-list opens: they create tokens or accept secrets,
// which only the gateway may do, or replace a user's session_key without the gateway.
// Each is the path itself and every path below it, in any case.
var neverCalled = []string{
	"/cgi-bin/token",
	"/cgi-bin/stable_token",
	"/cgi-bin/component", // tokens of a third-party platform
	"/cgi-bin/clear_quota/v2",
	"/sns",
	"/wxa/resetusersessionkey",
}

// credentialParameters are query parameters that only the gateway sends. With a second
// token, WeChat and not the operator would choose which one counts.
var credentialParameters = []string{
	"access_token", "cloudbase_access_token", "component_access_token", "authorizer_access_token", "secret", "appsecret",
}

// DefaultPaths are what a mini program's server calls, and what the open-API service of
// WeChat Cloud Hosting (开放接口服务) allows.
var DefaultPaths = []string{"/wxa/*", "/wxaapi/*", "/cgi-bin/*", "/datacube/*", "/product/*", "/shop/*", "/channels/*", "/cv/*"}

// CheckRequest refuses what a service may not do in the app's name.
func CheckRequest(r *http.Request, allow edge.PathSet) error {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return problem.MethodNotAllowed("Use %s.", "GET or POST")
	}
	if r.Header["Upgrade"] != nil {
		return problem.BadRequest("WeChat's API has no upgrades.")
	}
	// A page in a browser on this machine can send requests to loopback; browsers only
	// hide the response from it: CSRF.
	if r.Header["Origin"] != nil || r.Header["Sec-Fetch-Site"] != nil {
		return problem.Forbidden("Web pages may not call this.")
	}
	if r.Header["Authorization"] != nil || r.Header["Proxy-Authorization"] != nil {
		return problem.BadRequest("Send no credential: wxgate adds the access_token.")
	}
	if !edge.CanonicalRequestPath(r) {
		return problem.BadRequest(edge.NotCanonical)
	}
	if isNeverCalled(r.URL.Path) || !allow.Match(r.URL.Path) {
		return problem.Forbidden("wxgate_openapi is not configured to serve this path.")
	}
	return checkQuery(r.URL.RawQuery)
}

// ownNames are the ends of names that no public DNS can resolve to this machine:
// RFC 6761, RFC 6762, ICANN's .internal, and WeChat's own, which code that was written
// for Cloud Hosting uses with http_proxy.
var ownNames = []string{".localhost", ".local", ".internal", ".weixin.qq.com"}

// Rebound reports whether a request names this machine by a host name that an attacker's
// DNS may have resolved to it. A browser that shows the attacker's page then sends
// neither Origin nor Sec-Fetch-Site with a GET, because it takes this site for the
// page's own: DNS rebinding. Browsers cannot connect to a Unix socket.
func Rebound(r *http.Request) bool {
	if _, socket := r.Context().Value(http.LocalAddrContextKey).(*net.UnixAddr); socket {
		return false
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if net.ParseIP(host) != nil || !strings.Contains(host, ".") {
		return false
	}
	return !slices.ContainsFunc(ownNames, func(own string) bool { return strings.HasSuffix(host, own) })
}

// CheckAllowed refuses an allow-list that names a path that is never called.
func CheckAllowed(patterns []string) error {
	for _, pattern := range patterns {
		if isNeverCalled(strings.TrimSuffix(pattern, "*")) {
			return fmt.Errorf("allow %s: wxgate_openapi never calls that, because it makes tokens or takes secrets", pattern)
		}
	}
	return nil
}

func isNeverCalled(path string) bool {
	path = strings.ToLower(strings.TrimSuffix(path, "/"))
	for _, never := range neverCalled {
		if path == never || strings.HasPrefix(path, never+"/") {
			return true
		}
	}
	return false
}

// checkQuery refuses credentials, and what another parser may read as one: some parsers
// split parameters at semicolons.
func checkQuery(query string) error {
	if strings.Contains(query, ";") {
		return problem.BadRequest("Write a semicolon in the query as %%3B.")
	}
	if _, err := url.ParseQuery(query); err != nil {
		return problem.BadRequest("The query cannot be decoded.")
	}
	return checkParameters(query)
}

// checkParameters refuses the names of credentials, as any framework reads them.
func checkParameters(pairs string) error {
	for _, name := range credentialParameters {
		if edge.HasQueryParameter(pairs, name) {
			return problem.BadRequest("Send no credential: wxgate adds the access_token.")
		}
	}
	return nil
}

// CheckForm refuses credentials in a form body, which frameworks read like a query and
// merge with it. curl sends any body as a form by default, so it may be JSON. The body
// is read and replaced by a copy.
func CheckForm(r *http.Request) error {
	if !slices.ContainsFunc(r.Header["Content-Type"], isForm) {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, wechat.MaxReplayBytes+1))
	switch {
	case err != nil:
		return problem.BadRequest("The request body was incomplete.")
	case len(body) > wechat.MaxReplayBytes:
		return problem.BadRequest("A form may have 1 MiB. Name the body's real Content-Type, such as application/json.")
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return checkParameters(string(body))
}

func isForm(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded")
}

// passedHeaders are the request headers that WeChat's API uses. No other is sent: no
// cookies, traces or identities. Without Accept-Encoding the response can be read.
var passedHeaders = []string{
	"Accept", "Accept-Language", "Content-Encoding", "Content-Type", "If-Modified-Since", "If-None-Match", "Range",
	// The signature of a signed API call (服务端 API 签名), which the service makes.
	"Wechatmp-Appid", "Wechatmp-Timestamp", "Wechatmp-Signature",
}

func outgoingHeader(from http.Header) http.Header {
	to := make(http.Header, len(passedHeaders))
	for _, name := range passedHeaders {
		if values, ok := from[name]; ok {
			to[name] = values
		}
	}
	return to
}
