package caddymodule_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// verifySnippet returns the first block of a language in a section of docs/verify.md. The
// section "" is the text before the first heading.
func verifySnippet(t *testing.T, section, language string) string {
	t.Helper()
	page := readDocument(t, "verify.md")
	if section == "" {
		page, _, _ = strings.Cut(page, "\n## ")
	} else {
		_, rest, ok := strings.Cut(page, "\n## "+section+"\n")
		if !ok {
			t.Fatalf("docs/verify.md has no section %s", section)
		}
		page, _, _ = strings.Cut(rest, "\n## ")
	}
	_, block, ok := strings.Cut(page, "```"+language+"\n")
	if !ok {
		t.Fatalf("section %q of docs/verify.md has no block of %s", section, language)
	}
	block, _, _ = strings.Cut(block, "```")
	return block
}

// verifyPage turns a Caddyfile of docs/verify.md into the configuration of a fixture. Only the
// addresses, the limit and the platform's API change.
func verifyPage(t *testing.T, section string) string {
	t.Helper()
	page := verifySnippet(t, section, "caddyfile")
	for _, part := range []struct{ old, replacement string }{
		{"{\n\tservers {", "{\n\tadmin off\n\tpersist_config off\n\tstorage file_system {{.Dir}}/caddy\n\tlog {\n\t\toutput file {{.Dir}}/log\n\t}\n\tservers {"},
		{"app {env.WX_APPID} {env.WX_SECRET}", "app " + wechatsim.DefaultApp.ID + " {env.WXGATE_TEST_SECRET} {\n\t\t\tapi {{.API}}\n\t\t}\n\t\tstore memory"},
		{"http://:8082 {", "http://:{{slice .Plain 10}} {\n\tbind 127.0.0.1"}, // any Host, as on the page
		{"limit login 60/1m", "limit login 5/10m"},
	} {
		if !strings.Contains(page, part.old) {
			t.Fatalf("the Caddyfile of section %q has no %q", section, part.old)
		}
		page = strings.Replace(page, part.old, part.replacement, 1)
	}
	return page
}

// through sends the fixture's requests through another proxy.
func (f *fixture) through(addr string) *fixture {
	f.url = "http://" + addr
	return f
}

// newBehindNginx starts nginx with the page's locations in front of the page's Caddyfile.
func newBehindNginx(t *testing.T) *fixture {
	t.Helper()
	return newBehindNginxWith(t, "")
}

// newBehindUpgradingNginx makes nginx forward upgrades to the service, as operators with
// WebSockets configure it.
func newBehindUpgradingNginx(t *testing.T) *fixture {
	t.Helper()
	return newBehindNginxWith(t, "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; ")
}

// newBehindNginxWith adds lines to the page's location for the service.
func newBehindNginxWith(t *testing.T, lines string) *fixture {
	t.Helper()
	f := newFixture(t, verifyPage(t, "nginx"))
	const service = "proxy_pass http://127.0.0.1:9000;"
	snippet := strings.Replace(verifySnippet(t, "nginx", "nginx"), service, lines+service, 1)
	return f.through(startNginx(t, strings.NewReplacer("127.0.0.1:8082", f.plain, "127.0.0.1:9000", f.upstream.addr).Replace(snippet)))
}

// newBehindCaddy has the page's site for Caddy in front of the page's Caddyfile.
func newBehindCaddy(t *testing.T) *fixture {
	t.Helper()
	front := strings.NewReplacer("example.com {", "http://{{.Addr}} {", "127.0.0.1:8082", "{{.Plain}}", "127.0.0.1:9000", "{{.Upstream}}").
		Replace(verifySnippet(t, "Caddy", "caddyfile"))
	return newFixture(t, verifyPage(t, "")+front)
}

// realProxies run the page's snippets in the real proxies.
var realProxies = map[string]func(*testing.T) *fixture{"nginx": newBehindNginx, "Caddy": newBehindCaddy}

// from sends the fixture's requests from an address of the loopback network.
func (f *fixture) from(address string) *fixture {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, addr)
	}}
	f.t.Cleanup(transport.CloseIdleConnections)
	g := *f
	g.client = &http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}
	return &g
}

// TestProxySnippetsLimitLogin: the limit counts each client by its own address, and
// an invented X-Forwarded-For neither escapes it nor spends another's allowance.
func TestProxySnippetsLimitLogin(t *testing.T) {
	for name, start := range realProxies {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			login := func(f *fixture, header ...string) response {
				return f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("alice")), header...)
			}
			for i := range 5 {
				login(f.from(fmt.Sprintf("127.0.0.%d", i+2))).want(t, http.StatusOK, "")
			}
			attacker := f.from("127.0.0.9")
			for i := range 5 {
				login(attacker, "X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i)).want(t, http.StatusOK, "")
			}
			login(attacker, "X-Forwarded-For", "198.51.100.9").want(t, http.StatusTooManyRequests, "rate_limited")
			login(attacker, "X-Forwarded-For", "127.0.0.2, 198.51.100.9").want(t, http.StatusTooManyRequests, "rate_limited")
			login(f.from("127.0.0.2")).want(t, http.StatusOK, "")
		})
	}
}

// forgedHeaders are all headers that wxgate can set, those that programs written for Cloud
// Hosting also read, and those from which some frameworks take the path.
var forgedHeaders = append([]string{
	"X-WX-OPENID", "X-WX-APPID", "X-WX-UNIONID", "X-WX-SOURCE", "X-WX-SESSION", "X-WX-PHONE", "X-WX-ASSERTION",
	"X-WX-FROM-OPENID", "X-WX-FROM-APPID", "X-WX-FROM-UNIONID", "X_WX_OPENID",
}, slices.Concat(edge.PathOverrides, []string{edge.PrefixOverride})...)

// TestProxySnippetsNameOverrides: the snippet of each proxy removes every header from which
// some framework takes the path, as the handler does.
func TestProxySnippetsNameOverrides(t *testing.T) {
	for section, language := range map[string]string{
		"Caddy": "caddyfile", "nginx": "nginx", "Traefik": "yaml", "Envoy": "yaml", "Higress": "yaml", "APISIX": "json",
	} {
		snippet := strings.ToLower(verifySnippet(t, section, language))
		if section == "Envoy" {
			_, snippet, _ = strings.Cut(strings.ToLower(readDocument(t, "verify.md")), "\n## envoy\n")
			snippet, _, _ = strings.Cut(snippet, "\n## ")
		}
		for _, name := range slices.Concat(edge.PathOverrides, []string{edge.PrefixOverride}) {
			if !regexp.MustCompile(`[\s"-]` + name + `["\s:]`).MatchString(snippet + "\n") {
				t.Errorf("the snippet for %s does not remove %s", section, name)
			}
		}
	}
}

// TestProxySnippetsStrip: no header that a client forged reaches the upstream, with
// an identity or without one.
func TestProxySnippetsStrip(t *testing.T) {
	for name, start := range realProxies {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			login := f.login("alice")
			var forged []string
			for _, name := range forgedHeaders {
				forged = append(forged, name, "/static/victim")
			}
			forged = append(forged, "X-Forwarded-For", "198.51.100.1")
			for path, header := range map[string][]string{
				"/orders":     append([]string{"Authorization", "Bearer " + login.str(t, "access_token")}, forged...),
				"/static/app": forged,
			} {
				f.do("GET", path, "", header...).want(t, http.StatusOK, "")
				r := f.upstream.last(t)
				if r.RequestURI != path {
					t.Errorf("%s reached the upstream as %s", path, r.RequestURI)
				}
				for name, values := range r.Header {
					if strings.Contains(strings.Join(values, " "), "victim") {
						t.Errorf("%s: %s: %q reached the upstream", path, name, values)
					}
				}
				want := ""
				if path == "/orders" {
					want = login.str(t, "openId")
				}
				if got := r.Header.Get("X-Wx-Openid"); got != want {
					t.Errorf("%s: X-WX-OPENID %q, want %q", path, got, want)
				}
			}
			f.do("GET", "/orders", "", forged...).want(t, http.StatusUnauthorized, "missing_token")
			if n := f.upstream.count(); n != 0 {
				t.Errorf("%d refused requests reached the upstream", n)
			}
		})
	}
}

// TestProxySnippetsKeepProblems: a client behind the proxy gets wxgate's problem
// document with its status, code and challenge.
func TestProxySnippetsKeepProblems(t *testing.T) {
	for name, start := range realProxies {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			bearer := "Bearer " + f.token("alice")
			for _, tc := range []struct {
				method, path string
				header       []string
				status       int
				code         string
				challenge    string
			}{
				{"GET", "/orders", nil, 401, "missing_token", `Bearer realm="wxgate"`},
				{"POST", "/orders.css", nil, 401, "missing_token", `Bearer realm="wxgate"`},
				{"GET", "/orders", []string{"Authorization", "Bearer x"}, 401, "invalid_token", `error="invalid_token"`},
				{"GET", "/pay/1", []string{"Authorization", bearer}, 403, "phone_required", `error="insufficient_scope"`},
				{"POST", "/pay/1", []string{"Authorization", bearer}, 403, "phone_required", `error="insufficient_scope"`},
				{"GET", "/static/..;/pay/1", []string{"Authorization", bearer}, 403, "invalid_request", ""},
			} {
				a := f.do(tc.method, tc.path, "", tc.header...)
				a.want(t, tc.status, tc.code)
				challenge := a.header.Values("WWW-Authenticate")
				if len(challenge) > 1 || !strings.Contains(strings.Join(challenge, ""), tc.challenge) {
					t.Errorf("%s %s: WWW-Authenticate %q, want %q", tc.method, tc.path, challenge, tc.challenge)
				}
				if status, _ := a.json(t)["status"].(float64); int(status) != tc.status {
					t.Errorf("%s %s: the document says %v", tc.method, tc.path, status)
				}
				if got := a.header.Get("Cache-Control"); got != "no-store" {
					t.Errorf("%s %s: Cache-Control %q", tc.method, tc.path, got)
				}
			}
			if n := f.upstream.count(); n != 0 {
				t.Errorf("%d refused requests reached the upstream", n)
			}
			f.do("POST", "/static/1", "", "Authorization", bearer).want(t, http.StatusOK, "")
			f.upstream.respondWith(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "the service's own", http.StatusForbidden) })
			if a := f.do("GET", "/orders", "", "Authorization", bearer); a.status != http.StatusForbidden || a.body != "the service's own\n" {
				t.Errorf("the service's own 403 is %d %q", a.status, a.body)
			}
		})
	}
}

// TestNginxWithoutGateway: a gateway that fails or is down lets nothing pass, and
// the client learns that it may retry.
func TestNginxWithoutGateway(t *testing.T) {
	const document = `{"status":503,"title":"Service Unavailable","code":"store_unavailable","detail":"x"}`
	gateway, service := newUpstream(t), newUpstream(t)
	gateway.respondWith(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Wxgate-Problem", document)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	nowhere := freeAddr(t)
	for ask, want := range map[string]struct {
		status      int
		code, retry string
	}{
		gateway.addr: {http.StatusServiceUnavailable, "store_unavailable", "1"},
		nowhere:      {http.StatusBadGateway, "", ""},
	} {
		snippet := strings.NewReplacer("127.0.0.1:8082", ask, "127.0.0.1:9000", service.addr).Replace(verifySnippet(t, "nginx", "nginx"))
		f := (&fixture{t: t, client: client}).through(startNginx(t, snippet))
		a := f.do("POST", "/orders", "")
		a.want(t, want.status, want.code)
		if got := a.header.Get("Retry-After"); got != want.retry {
			t.Errorf("Retry-After %q, want %q", got, want.retry)
		}
	}
	if n := service.count(); n != 0 {
		t.Errorf("%d requests reached the service", n)
	}
}

// TestProxySnippetsRefuseTunnels: behind the proxies too, no request reaches the upstream that
// opens a tunnel (Upgrade) or makes the upstream send back the credentials (TRACE).
func TestProxySnippetsRefuseTunnels(t *testing.T) {
	proxies := maps.Clone(realProxies)
	proxies["nginx with upgrades"] = newBehindUpgradingNginx
	for name, start := range proxies {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			bearer := []string{"Authorization", "Bearer " + f.token("alice")}
			for _, tc := range []struct {
				method string
				header []string
			}{
				{"TRACE", nil},
				{"GET", []string{"Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c", "HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA"}},
				{"GET", []string{"Connection", "Upgrade", "Upgrade", "tls/1.2"}},
				{"GET", []string{"Connection", "Upgrade", "Upgrade", "websocket, h2c"}},
			} {
				for _, path := range []string{"/orders", "/static/1"} {
					a := f.do(tc.method, path, "", append(tc.header, bearer...)...)
					if f.upstream.count() == 0 {
						if a.status < 400 {
							t.Errorf("%s %s %q: status %d", tc.method, path, tc.header, a.status)
						}
						continue
					}
					r := f.upstream.last(t)
					if r.Method == http.MethodTrace || r.Header.Get("Upgrade") != "" {
						t.Errorf("%s %s %q reached the upstream as %s, Upgrade %q", tc.method, path, tc.header, r.Method, r.Header["Upgrade"])
					}
				}
			}
			f.do("GET", "/orders", "", append([]string{"Connection", "Upgrade", "Upgrade", "websocket"}, bearer...)...).want(t, http.StatusOK, "")
			if got := f.upstream.last(t).Header.Get("Upgrade"); name != "nginx" && got != "websocket" {
				t.Errorf("a WebSocket reached the upstream with Upgrade %q", got)
			}
		})
	}
}
