package caddymodule_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// Each test below sends, over a raw socket, the smallest request that broke a gateway of this
// kind, and checks what reaches the upstream. The corpus of internal/attack has every variant;
// these tests are short so that people can read them.

var hardSite = siteWith{global: `	servers {
		expected_underscore_headers x_wx*
	}`, store: "memory", sites: `
http://{{.Addr}} {
	wxgate {
		public   /public/* /closed/*
		optional /optional/*
		require  phone on /phone/* /closed/* /docs/pay/* /支付/* /%E9%80%80%E6%AC%BE /old.aspx /v2.0
		forward_token
	}
	handle /broken/* {
		reverse_proxy 127.0.0.1:1
	}
	handle {
		reverse_proxy {{.Upstream}}
	}
	handle_errors {
		reverse_proxy {{.Upstream}}
	}
}`}.String()

// hard is a gateway with a logged-in user.
type hard struct {
	*fixture
	openid, bearer string
}

func newHard(t *testing.T) *hard {
	t.Helper()
	h := &hard{fixture: newFixture(t, hardSite)}
	login := h.login("mallory")
	h.openid, h.bearer = login.str(t, "openId"), "Authorization: Bearer "+login.str(t, "access_token")
	return h
}

// raw sends lines, each with a CRLF, and returns the status of the response, or 0 if the
// gateway closed the connection.
func (h *hard) raw(lines ...string) int {
	h.t.Helper()
	return h.bytes(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

func (h *hard) bytes(message string) int {
	h.t.Helper()
	conn := sendRaw(h.t, h.addr, message)
	defer func() { _ = conn.Close() }()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// refused fails the test unless the response has this status and no request reached the
// upstream.
func (h *hard) refused(status int, lines ...string) {
	h.t.Helper()
	if got := h.raw(lines...); got != status {
		h.t.Errorf("status %d, want %d: %q", got, status, lines)
	}
	if h.upstream.count() != 0 {
		r := h.upstream.last(h.t)
		h.t.Errorf("%q reached the upstream as %s %s %v", lines, r.Method, r.RequestURI, r.Header)
	}
}

// passed fails the test unless the request reached the upstream, and returns it.
func (h *hard) passed(lines ...string) *http.Request {
	h.t.Helper()
	if got := h.raw(lines...); got != http.StatusOK && got != http.StatusSwitchingProtocols {
		h.t.Fatalf("status %d: %q", got, lines)
	}
	return h.upstream.last(h.t)
}

// TestHardeningSpoofing: a client sends identity headers itself.
//
//	GET /api/me HTTP/1.1
//	Authorization: Bearer <a token without unionid>
//	X_WX_OPENID: victim
//	x-wx-openid: victim
//	X-WX-UNIONID: victim        <- absent from the token: must be absent upstream
//	X-Wx-Anything-New: victim   <- reserved prefix
//
// CVE-2025-64484, CVE-2026-30851, CVE-2026-52845, GHSA-49wc-4hcv-v58q.
func TestHardeningSpoofing(t *testing.T) {
	h := newHard(t)
	spoofs := []string{
		"x-wx-openid: victim", "X-WX-OPENID: victim", "X_WX_OPENID: victim", "x_wx_openid: victim", "X.Wx.Openid: victim", "X-WX_OPENID: victim",
		"X!WX!OPENID: victim", "X~WX~OPENID: victim", "X|WX|OPENID: victim", "X`WX`OPENID: victim", "X--WX--OPENID: victim", "-X-WX-OPENID: victim",
		"X-WX-UNIONID: victim", "x_wx_unionid: victim", "X-Wx-Anything-New: victim", "X-WX-OPENID:\r\n victim", "X-WX-PHONE: victim",
	}
	for _, request := range [][]string{
		{"GET /api/me HTTP/1.1", h.bearer},
		{"GET /public/x HTTP/1.1"},
		{"GET /public/x HTTP/1.1", h.bearer},
		{"GET /optional/x HTTP/1.1"},
		{"GET /optional/x HTTP/1.1", h.bearer},
		{"GET /broken/x HTTP/1.1", h.bearer}, // through handle_errors
	} {
		h.raw(append(append(request, "Host: "+h.addr), spoofs...)...)
		r := h.upstream.last(t)
		if text := fmt.Sprint(r.Header, r.Trailer); strings.Contains(text, "victim") {
			t.Errorf("%q reached the upstream as %s", request, text)
		}
		wantIdentity := len(request) > 1 && !strings.Contains(request[0], "/broken/") && !strings.Contains(request[0], "/public/")
		if got := r.Header["X-Wx-Openid"]; wantIdentity != (len(got) == 1 && got[0] == h.openid) {
			t.Errorf("%q: the upstream got the openid %q", request, got)
		}
	}
	h.refused(http.StatusForbidden, append([]string{"OPTIONS /api/me HTTP/1.1", "Host: " + h.addr, "Origin: https://a", "Access-Control-Request-Method: GET"}, spoofs...)...)
	h.refused(http.StatusUnauthorized, append([]string{"GET /api/me HTTP/1.1", "Host: " + h.addr}, spoofs...)...)
}

// TestHardeningTrailer: identity headers are in the trailer, declared or not. Some servers
// merge trailers into the headers.
//
//	POST /api/me HTTP/1.1
//	Transfer-Encoding: chunked
//	Trailer: X-WX-OPENID
//
//	0
//	X-WX-OPENID: victim
func TestHardeningTrailer(t *testing.T) {
	h := newHard(t)
	for _, declared := range []string{"Trailer: X-WX-OPENID, X_WX_OPENID, X-Other\r\n", ""} {
		status := h.bytes("POST /api/me HTTP/1.1\r\nHost: " + h.addr + "\r\n" + h.bearer + "\r\n" + declared +
			"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-WX-OPENID: victim\r\nX_WX_OPENID: victim\r\nX-Other: victim\r\n\r\n")
		if status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
		if r := h.upstream.last(t); len(r.Trailer) > 0 || r.Header.Get("X-Wx-Openid") != h.openid {
			t.Errorf("declared %q: the upstream got the trailer %v and the header %v", declared, r.Trailer, r.Header)
		}
	}
}

// TestHardeningRemoval: the header Connection names identity headers, so that the proxy
// removes them after the gateway has set them. The upstream then serves an authenticated
// route without an identity.
//
//	GET /api/me HTTP/1.1
//	Connection: close, x-wx-openid
//
// CVE-2022-31813, CVE-2024-45410, CVE-2026-29054.
func TestHardeningRemoval(t *testing.T) {
	h := newHard(t)
	for _, lines := range [][]string{
		{"Connection: close, x-wx-openid"},
		{"Connection: X-WX-OPENID, X-Wx-Appid, X-Forwarded-For"},
		{"Connection: keep-alive", "connection: X-Wx-OpenID"},
		{"Connection: ,,\tx-wx-openid\t,"},
		{"Connection: keep-alive,\r\n x-wx-openid"},
		{"Keep-Alive: x-wx-openid", "Proxy-Connection: x-wx-openid", "TE: x-wx-openid", "Connection: te, keep-alive"},
		{"Connection: Upgrade, X-WX-OPENID", "Upgrade: websocket"},
	} {
		r := h.passed(append([]string{"GET /api/me HTTP/1.1", "Host: " + h.addr, h.bearer}, lines...)...)
		for _, name := range []string{"X-Wx-Openid", "X-Wx-Appid", "X-Wx-Source", "X-Wx-Session", "X-Forwarded-For"} {
			if r.Header.Get(name) == "" {
				t.Errorf("%q: the upstream got no %s", lines, name)
			}
		}
	}
}

// TestHardeningTunnel: if an upstream responds with 101, the connection becomes a tunnel in
// which the gateway enforces nothing. Over h2c, it could carry further requests with any
// header.
//
//	GET /public/ping HTTP/1.1
//	Connection: Upgrade
//	Upgrade: h2c
//	HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA
//
// CVE-2026-88008; CONNECT and TRACE: CVE-2026-71324.
func TestHardeningTunnel(t *testing.T) {
	h := newHard(t)
	for _, lines := range [][]string{
		{"Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"},
		{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"},
		{"Connection: Upgrade", "Upgrade: websocket, h2c"},
		{"Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"},
		{"Connection: Upgrade", "Upgrade: anything"},
		{"Upgrade: h2c"},
	} {
		for _, request := range []string{"GET /api/me HTTP/1.1", "GET /public/x HTTP/1.1"} {
			h.refused(http.StatusBadRequest, append([]string{request, "Host: " + h.addr, h.bearer}, lines...)...)
		}
	}
	h.refused(http.StatusMethodNotAllowed, "TRACE /api/me HTTP/1.1", "Host: "+h.addr, h.bearer)
	h.refused(http.StatusMethodNotAllowed, "CONNECT "+h.addr+" HTTP/1.1", "Host: "+h.addr, h.bearer)
	r := h.passed("GET /api/me HTTP/1.1", "Host: "+h.addr, h.bearer, "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
	if r.Header.Get("Http2-Settings") != "" {
		t.Error("the upstream got HTTP2-Settings")
	}
}

// TestHardeningPublicPath: a client requests a guarded path in a spelling that looks public, or
// claims another path in a header.
//
//	GET /public/..;/admin HTTP/1.1          Tomcat
//	GET /public/%2e%2e/admin HTTP/1.1
//	GET /admin HTTP/1.1 + X-Forwarded-Uri: /public/x
//	GET /public/x HTTP/1.1 + X-Rewrite-URL: /admin
//	GET /public/index.php/admin HTTP/1.1    /admin to a PHP framework
//	GET /public/．．/admin HTTP/1.1         narrowed by Windows
//
// CVE-2019-9901, CVE-2026-73511, CVE-2026-40575, CVE-2018-14773.
func TestHardeningPublicPath(t *testing.T) {
	h := newHard(t)
	for target, status := range map[string]int{
		"/public/..;/admin": 400, "/public;/../admin": 400, "/public/%2e%2e/admin": 400, "/public/..%2fadmin": 400, "/public/%252e%252e%252fadmin": 400,
		`/public\..\admin`: 400, "//public/../admin": 400, "/public/../admin": 400, "/public//../admin": 400, "/public/%00/x": 400,
		"/public/%c0%ae%c0%ae/admin": 400, "/public/..%20/admin": 400, "/admin;/public/x": 400, "/admin%23/public/": 400, "/admin%3f/public/": 400,
		"http://" + h.addr + "/public/../admin": 400,
		"/public/%EF%BC%8E%EF%BC%8E/admin":      400, "/public/%E2%80%A5/admin": 400, "/public/x%EF%BC%8F..%EF%BC%8F..%EF%BC%8Fadmin": 400, "/public/..::$INDEX_ALLOCATION/admin": 400,
		"/public/index.php/admin": 401, "/public/x/App.PHP/admin": 401, "/public/x.wsgi/admin": 401, "/public/x%EF%BC%8Ewsgi/admin": 401, "/public/x%EF%BC%8Ephp/admin": 401, "/public/a.phpx/b": 401, "/public/x/run.Axd/admin": 401,
		"/public/cgi-bin/run/admin": 401, "/public/x/CGI-BIN/run/admin": 401,
		"/PUBLIC/x": 401, "/public-not/x": 401, "/public": 401, "/admin?x=/public/": 401, "http://" + h.addr + "/admin": 401,
	} {
		h.refused(status, "GET "+target+" HTTP/1.1", "Host: "+h.addr)
	}
	for _, line := range []string{
		"X-Forwarded-Uri: /public/x", "X-Original-URL: /public/x", "X-Rewrite-URL: /public/x", "X-Envoy-Original-Path: /public/x",
		"User-Agent: GoogleHC/1.0", "X-Forwarded-For: 127.0.0.1", "X-HTTP-Method-Override: OPTIONS", "Sec-WebSocket-Key: x", "X-Forwarded-User: victim",
	} {
		h.refused(http.StatusUnauthorized, "GET /admin HTTP/1.1", "Host: "+h.addr, line)
	}
	h.refused(http.StatusUnauthorized, "OPTIONS /admin HTTP/1.1", "Host: "+h.addr)
	h.refused(http.StatusUnauthorized, "OPTIONS /admin HTTP/1.1", "Host: "+h.addr, "Access-Control-Request-Method: GET")
	r := h.passed("GET /public/x HTTP/1.1", "Host: "+h.addr, "X-Original-URL: /admin", "x_rewrite_url: /admin", "X-Rewrite-URL: /admin")
	if text := fmt.Sprint(r.Header); strings.Contains(text, "/admin") {
		t.Errorf("the upstream got headers with another path: %s", text)
	}
	for _, name := range pathHeaders() {
		r := h.passed("GET /public/admin/users HTTP/1.1", "Host: "+h.addr, name+": /public", strings.ReplaceAll(name, "-", "_")+": /public")
		if text := fmt.Sprint(r.Header); strings.Contains(text, "/public") {
			t.Errorf("%s reached the upstream: %s", name, text)
		}
	}
	for _, name := range []string{"X-Callback-Url", "X-Original-Host", "X-Forwarded-Client-Cert", "X-Image-Path", "X-Request-Id", "X-Proxy-User", "X-Database"} {
		if r := h.passed("GET /public/x HTTP/1.1", "Host: "+h.addr, name+": kept"); r.Header.Get(name) != "kept" {
			t.Errorf("%s was removed", name)
		}
	}
	for _, target := range []string{
		"/public/index.php", "/public/v1.2/logo.png", "/public/jquery.min.js", "/public/x-1.10.2/a.b.css", "/public/cgi-bin", "/public/%E6%9C%AA%E5%AE%8C%E2%80%A6%E2%80%A6", "/public/%EF%BC%881%EF%BC%89.pdf",
	} {
		h.passed("GET "+target+" HTTP/1.1", "Host: "+h.addr)
	}
}

// pathHeaders returns headers from which common middleware takes the path of a request, such
// as WSGI middleware that sets SCRIPT_NAME from X-Script-Name.
func pathHeaders() []string {
	return []string{
		"X-Script-Name", "Script-Name", "Path-Info", "X-Path-Info", "X-Forwarded-Prefix", "X-Forwarded-Path", "X-Forwarded-Url", "X-Override-URL",
		"X-Envoy-Original-Path", "X-Original-URI", "X-Original-Path", "X-HTTP-Path-Override", "X-Waws-Unencoded-Url", "X-Replaced-Path",
		"X-Http-Destinationurl", "X-Ms-Original-Url", "X-Ingress-Path", "X-Forwarded-Pathbase", "X-Forwarded-Request-Uri", "X-Forwarded-Context", "X-Proxy-Url",
		"X-Forwarded-Basepath", "X-Original-Pathname", "X-Original-Url-Path", "X-Scriptname", "X-Pathinfo", "X-Rewritten-Path", "X-Forwarded-Original-Uri",
		"X-Forwarded-Base-Url", "X-Original-Request-Path", "X-Url-Override", "X-Requested-Path", "X-Envoy-Original-Url", "X-Proxy-Prefix", "X-Original-Prefix",
	}
}

// TestHardeningPolicyPath: a requirement on /phone/* also applies to every path that some
// upstream treats as one below /phone, and public does not cancel it.
//
//	GET /PHONE/secret HTTP/1.1    Express and ASP.NET ignore case
//	GET /phone.json HTTP/1.1      Rails, and Spring before 5.3, treat it as /phone
//	GET /closed/x HTTP/1.1        public /closed/* and require phone on /closed/*
//	GET /index.php/phone/secret HTTP/1.1    Laravel, Symfony, ThinkPHP treat it as /phone/secret
//	GET /phone.php/x.css HTTP/1.1           PHP runs /phone.php
//	GET /ｐｈｏｎｅ/secret HTTP/1.1         Unicode normalization
//	GET /phone::$INDEX_ALLOCATION/secret HTTP/1.1    NTFS
func TestHardeningPolicyPath(t *testing.T) {
	h := newHard(t)
	for target, status := range map[string]int{
		"/phone/secret": 403, "/PHONE/secret": 403, "/Phone/Secret": 403, "/phone": 403, "/phone/": 403, "/pHoNe": 403,
		"/phone.json": 403, "/PHONE.v1.json/": 403, "/phone./": 400, "/%E2%84%AAx/../phone/x": 400,
		"/index.php/phone/secret": 403, "/x/Index.PHP/PHONE": 403, "/a.php/b.php/phone.json": 403, "/%EF%BD%90hone/secret": 403, "/ｐｈｏｎｅ/secret": 403,
		"/x.cgi/phone/secret": 403, "/x.php5/phone": 403, "/x.phtml/phone/1": 403, "/x.aspx/PHONE/1": 403, "/x.cfm/phone/1": 403, "/x.do/phone/1": 403,
		"/x.wsgi/phone/1": 403, "/x.axd/phone/1": 403, "/x.jsf/PHONE/1": 403, "/cgi-bin/run/phone/1": 403, "/CGI-BIN/run/phone": 403,
		"/" + strings.Repeat("%EF%B7%BA", 200): 400, // has 6,600 bytes after case folding
		"/_next/data/b1/phone/1.json":          403, "/(S(abc))/phone/1": 400, "/x/(A(1)F(2))/phone": 400, "/PHONE~1/x": 400, "/" + strings.Repeat("x", 2<<10): 400,
		"/docs/_next/data/b1/phone/1.json": 403, "/docs/_next/data/b1/pay/1.json": 403, "/a/cgi-bin/run/phone/1": 403, "/a/b/_Next/Data/x.y/phone": 403,
		"/x.y/phone/cgi-bin/run/1": 403, "/a/cgi-bin/run/x.php/phone": 403, "/cgi-bin/run/docs/_next/data/b1/phone/1.json": 403, "/docs/_next/data/b1/pay.json": 403,
		"/phone.php/x": 403, "/x.php/PHONE.PHP/x.css": 403, "/old.aspx/x": 403, "/OLD.ASPX": 403, "/a.php/old.aspx/x": 403,
		"/phone::$INDEX_ALLOCATION/secret": 400, "/phone::$DATA": 400, "/phone%EF%BC%8Fsecret": 400, "/phone%E2%88%95secret": 400, "/x/%EF%BC%8E%EF%BC%8E/phone/x": 400,
		"/%E6%94%AF%E4%BB%98/x": 403, "/支付": 403, "/%E9%80%80%E6%AC%BE": 403,
		"/%70hone/secret": 400, "//phone/secret": 400, "/x/..;/phone/secret": 400, "/phone;x/secret": 400, "/phone%2fsecret": 400, "/phone%20/secret": 400,
	} {
		h.refused(status, "GET "+target+" HTTP/1.1", "Host: "+h.addr, h.bearer)
	}
	h.refused(http.StatusUnauthorized, "GET /closed/x HTTP/1.1", "Host: "+h.addr)
	h.refused(http.StatusForbidden, "GET /closed/x HTTP/1.1", "Host: "+h.addr, h.bearer)
	h.refused(http.StatusForbidden, "GET /phone/x HTTP/1.1", "Host: "+h.addr, h.bearer, "X-Original-URL: /x")
	h.passed("GET /phones/x HTTP/1.1", "Host: "+h.addr, h.bearer)
	h.passed("GET /x.phone HTTP/1.1", "Host: "+h.addr, h.bearer)
	h.passed("GET /index.php/phones HTTP/1.1", "Host: "+h.addr, h.bearer)
	h.refused(http.StatusForbidden, "GET /x.phpx/phone/x HTTP/1.1", "Host: "+h.addr, h.bearer)
	h.passed("GET /v2.0/x HTTP/1.1", "Host: "+h.addr, h.bearer)
}

// TestHardeningTokens: a token that the gateway did not sign, or two tokens, of which the
// gateway verifies one and the upstream uses the other.
//
//	Authorization: Bearer eyJhbGciOiJub25lIn0.<claims>.
//	Authorization: Bearer a, Bearer b
//	GET /api/me?access_token=b + Authorization: Bearer a
//
// CVE-2015-9235, RFC 6750 section 2. The tests of internal/token have every rule for tokens.
func TestHardeningTokens(t *testing.T) {
	h := newHard(t)
	_, payload, _ := strings.Cut(h.bearer, ".")
	payload, signature, _ := strings.Cut(payload, ".")
	const none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0" // {"alg":"none","typ":"at+jwt"}
	for _, token := range []string{
		none + "." + payload + ".", none + "." + payload + "." + signature, none + "." + payload, h.bearer[len("Authorization: Bearer "):] + "=",
		h.bearer[len("Authorization: Bearer "):] + ".x", strings.Repeat("A", 9<<10), "..",
	} {
		h.refused(http.StatusUnauthorized, "GET /api/me HTTP/1.1", "Host: "+h.addr, "Authorization: Bearer "+token)
	}
	for _, lines := range [][]string{
		{h.bearer, h.bearer}, {h.bearer, "Authorization: Basic YTpi"}, {"Authorization: Bearer x", h.bearer},
		{h.bearer + ", Bearer x"}, {h.bearer + " x"},
	} {
		h.refused(http.StatusBadRequest, append([]string{"GET /api/me HTTP/1.1", "Host: " + h.addr}, lines...)...)
	}
	for _, query := range []string{
		"access_token=x", "a=b&access%5Ftoken=x", "a=b;access_token=x", "Access_Token=x", "access.token=x", "access_token[]=x", "access[token=x", "access_token%00=x", "%20access_token%20=x",
	} {
		h.refused(http.StatusBadRequest, "GET /api/me?"+query+" HTTP/1.1", "Host: "+h.addr, h.bearer)
	}
	h.passed("GET /api/me?token=x&accessToken=y HTTP/1.1", "Host: "+h.addr, h.bearer)
}

// TestHardeningOptionalToken: where a token is optional, the gateway must not treat a malformed
// credential as no token and forward it: an upstream that splits at a tab would use it.
//
//	GET /optional/x HTTP/1.1
//	Authorization: Bearer<tab>e30.e30.e30
//	Authorization: Basic YTpi, Bearer e30.e30.e30
//
// RFC 6750 section 2.1 allows one space, and RFC 9110 one credential.
func TestHardeningOptionalToken(t *testing.T) {
	h := newHard(t)
	for value, status := range map[string]int{
		"\xa0Bearer e30.e30.e30": 401, "\x85Bearer e30.e30.e30": 401, "\u00a0Bearer e30.e30.e30": 401, "\"Bearer e30.e30.e30": 401,
		"Bearer\te30.e30.e30": 401, "Bearer=e30.e30.e30": 401, "Bearer:e30.e30.e30": 401, "Bearer\u00a0e30.e30.e30": 401,
		"Bearer: e30.e30.e30": 400, "Bearer,e30.e30.e30": 400, "Basic YTpi, Bearer e30.e30.e30": 400, "Basic YTpi,\tBearer\te30.e30.e30": 400,
	} {
		h.refused(status, "GET /optional/x HTTP/1.1", "Host: "+h.addr, "Authorization: "+value)
	}
	for _, value := range []string{
		"Basic x Bearer e30.e30.e30", "!Bearer e30.e30.e30", "Token Bearer\u00a0e30.e30.e30", "Basic x Bearer\te30.e30.e30",
		"Basic x Bearer\xa0e30.e30.e30", "!Bearer\xa0e30.e30.e30", "!Bearer\x85e30.e30.e30", "!BEARER\u2003e30.e30.e30", // raw bytes are Latin-1 to WSGI and Node
	} {
		h.refused(http.StatusBadRequest, "GET /optional/x HTTP/1.1", "Host: "+h.addr, "Authorization: "+value)
	}
	h.refused(http.StatusBadRequest, "GET /optional/x?access_token=e30.e30.e30 HTTP/1.1", "Host: "+h.addr)
	for _, value := range []string{"Basic YTpi", "Bearers x", "Digest username=\"a\", realm=\"b\""} {
		r := h.passed("GET /optional/x HTTP/1.1", "Host: "+h.addr, "Authorization: "+value)
		if got := r.Header.Get("Authorization"); got != value {
			t.Errorf("the upstream got Authorization %q for %q", got, value)
		}
	}
}

// TestHardeningErrorRoute: the proxy fails, and an error route calls another server. It must
// get neither identity nor token, although the upstream gets both (forward_token).
//
//	handle_errors { reverse_proxy <error service> }
//
// CVE-2026-41181.
func TestHardeningErrorRoute(t *testing.T) {
	h := newHard(t)
	if r := h.passed("GET /api/me HTTP/1.1", "Host: "+h.addr, h.bearer); r.Header.Get("Authorization") == "" {
		t.Fatal("forward_token did not forward")
	}
	h.raw("GET /broken/x HTTP/1.1", "Host: "+h.addr, h.bearer)
	r := h.upstream.last(t)
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Wx-") || name == "Authorization" {
			t.Errorf("the error service got %s: %q", name, r.Header[name])
		}
	}
}

// TestHardeningEarlyData: a proxy in front reports that a login was sent in early data, which an
// attacker on the network can replay.
//
//	POST /v1.0/pub/openId HTTP/1.1
//	Early-Data: 0    <- from the client; any value counts as 1
//	Early-Data: 1
//
// CVE-2024-39321, RFC 8470. The corpus sends the packets themselves.
func TestHardeningEarlyData(t *testing.T) {
	h := newHard(t)
	code, err := h.sim.Sim.MintCode(wechatsim.User{Name: "mallory"}, wechatsim.Login{})
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"code":%q}`, code.Code)
	for _, early := range [][]string{{"Early-Data", "1"}, {"Early-Data", "0", "Early-Data", "1"}, {"Early-Data", "0"}, {"Early-Data", ""}} {
		h.do("POST", pub+"/openId", body, early...).want(t, http.StatusTooEarly, "invalid_request")
	}
	h.do("POST", pub+"/openId", body).want(t, http.StatusOK, "")
}

// TestHardeningSmuggling: one server reads bytes as a body, and the next reads them as a
// separate request, which can have any header.
//
//	POST /api/me HTTP/1.1
//	Content-Length: 70
//	Transfer-Encoding: chunked
//
//	0
//
//	GET /admin HTTP/1.1
//	X-WX-OPENID: victim
//
// CVE-2025-22871, CVE-2022-1705.
func TestHardeningSmuggling(t *testing.T) {
	h := newHard(t)
	inner := "GET /admin HTTP/1.1\r\nHost: " + h.addr + "\r\nX-WX-OPENID: victim\r\n\r\n"
	body := "0\r\n\r\n" + inner
	for _, lines := range []string{
		fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", len(body)),
		"Transfer-Encoding : chunked\r\n", "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunked, identity\r\n",
		"Transfer-Encoding:\r\n chunked\r\n", "X: a\nTransfer-Encoding: chunked\n", "Transfer-Encoding: chunked\x00\r\n",
		"Content-Length: 0\r\nContent-Length: 5\r\n", "Content-Length: +5\r\n",
	} {
		h.bytes("POST /api/me HTTP/1.1\r\nHost: " + h.addr + "\r\n" + h.bearer + "\r\n" + lines + "\r\n" + body)
		for h.upstream.count() > 0 {
			if r := h.upstream.last(t); r.URL.Path == "/admin" || strings.Contains(fmt.Sprint(r.Header), "victim") {
				t.Errorf("%q: the upstream got %s %v", lines, r.URL, r.Header)
			}
		}
	}
}
