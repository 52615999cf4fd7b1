package caddymodule

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

// neverCalled are paths that no allow-list opens: they make tokens or take
// secrets, which are the gateway's business, or would change a user's session key
// behind its back. Each stands for itself and what lies below it, in any case.
var neverCalled = []string{
	"/cgi-bin/token",
	"/cgi-bin/stable_token",
	"/cgi-bin/component", // tokens of a third-party platform
	"/cgi-bin/clear_quota/v2",
	"/sns",
	"/wxa/resetusersessionkey",
}

// credentialParameters are query parameters that only the gateway sends. A second
// token beside ours would be WeChat's choice, not the operator's.
var credentialParameters = []string{
	"access_token", "cloudbase_access_token", "component_access_token", "authorizer_access_token", "secret", "appsecret",
}

// screenOpenAPI refuses what an upstream may not have done in the app's name.
func screenOpenAPI(r *http.Request, allow edge.PathSet) error {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return problem.MethodNotAllowed("Use GET or POST.")
	}
	if r.Header["Upgrade"] != nil {
		return problem.BadRequest("WeChat's API has no upgrades.")
	}
	// A page that somebody looks at on this machine reaches loopback too, and
	// browsers let it send; they only keep the answer from it.
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
	return screenQuery(r.URL.RawQuery)
}

// ownNames end the names that nobody can point at this machine from outside:
// RFC 6761, RFC 6762, ICANN's .internal, and WeChat's own, under which code that
// was written for Cloud Hosting comes by http_proxy.
var ownNames = []string{".localhost", ".local", ".internal", ".weixin.qq.com"}

// rebound reports whether a request calls this machine by a name that a stranger's
// DNS may have led here. A browser that looks at the stranger's page then takes the
// site for the page's own, and sends neither Origin nor Sec-Fetch-Site with a GET.
// Browsers reach no Unix socket.
func rebound(r *http.Request) bool {
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

// checkAllowed refuses an allow-list that names what is never called.
func checkAllowed(patterns []string) error {
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

// screenQuery refuses credentials, and what another reader might take for one:
// some decoders part parameters at semicolons.
func screenQuery(query string) error {
	if strings.Contains(query, ";") {
		return problem.BadRequest("Write a semicolon in the query as %3B.")
	}
	if _, err := url.ParseQuery(query); err != nil {
		return problem.BadRequest("The query cannot be decoded.")
	}
	return screenParameters(query)
}

// screenParameters refuses the names of credentials as any framework reads them.
func screenParameters(pairs string) error {
	for _, name := range credentialParameters {
		if edge.HasQueryParameter(pairs, name) {
			return problem.BadRequest("Send no credential: wxgate adds the access_token.")
		}
	}
	return nil
}

// screenForm refuses credentials in a body that frameworks read like a query and
// merge with it. curl calls any body a form unless it is told otherwise, so what
// is in it may well be JSON. The body is read and put back.
func screenForm(r *http.Request) error {
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
	return screenParameters(string(body))
}

func isForm(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded")
}

// passedHeaders are the request headers that WeChat's API has a use for. All
// others stay here: cookies, traces, and who the user is. Accept-Encoding does
// so that an answer can be looked at, and Connection's tokens name nothing more.
var passedHeaders = []string{
	"Accept", "Accept-Language", "Content-Encoding", "Content-Type", "If-Modified-Since", "If-None-Match", "Range",
	// The signature of 服务端 API 签名, which its owner makes.
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
