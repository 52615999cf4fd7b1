package caddymodule_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The requests of proxies that the tests do not run, as the documentation of each proxy
// describes them. METHOD, URI and TOKEN stand for those of the client.
const (
	// traefikAsk is from ForwardAuth, which also copies the client's headers.
	traefikAsk = "GET /ask HTTP/1.1\r\nHost: 127.0.0.1:8082\r\nUser-Agent: curl/8.5.0\r\nAccept-Encoding: gzip\r\nTOKEN" +
		"X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Host: api.example.com\r\nX-Forwarded-Method: METHOD\r\n" +
		"X-Forwarded-Port: 443\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Server: traefik\r\nX-Forwarded-Uri: URI\r\n\r\n"
	// envoyAsk is from ext_authz over HTTP: Host, method and path are the client's.
	envoyAsk = "METHOD URI HTTP/1.1\r\nhost: api.example.com\r\ncontent-length: 0\r\nTOKEN" +
		"x-envoy-internal: true\r\nx-forwarded-for: 203.0.113.7\r\nx-envoy-expected-rq-timeout-ms: 1000\r\n\r\n"
	// higressAsk is from ext-auth in forward_auth mode. Its README shows the first four lines,
	// with POST; the code also sends X-Original-….
	higressAsk = "POST /auth HTTP/1.1\r\nHost: ext-auth.backend.svc.cluster.local\r\nTOKEN" +
		"X-Forwarded-Proto: HTTP\r\nX-Forwarded-Host: foo.bar.com\r\nX-Forwarded-Uri: URI\r\nX-Forwarded-Method: METHOD\r\n" +
		"X-Original-Method: METHOD\r\nX-Original-Uri: URI\r\nContent-Length: 0\r\n\r\n"
	// higressPageAsk is from ext-auth as docs/verify.md configures it, without X-Original-….
	higressPageAsk = "GET /ask HTTP/1.1\r\nHost: wxgate.default.svc.cluster.local\r\nTOKEN" +
		"X-Forwarded-Proto: HTTP\r\nX-Forwarded-Host: foo.bar.com\r\nX-Forwarded-Uri: URI\r\nX-Forwarded-Method: METHOD\r\nContent-Length: 0\r\n\r\n"
	// apisixAsk is from forward-auth.
	apisixAsk = "GET /ask HTTP/1.1\r\nHost: 127.0.0.1:8082\r\nUser-Agent: lua-resty-http/0.17.1 (Lua) ngx_lua/10026\r\nTOKEN" +
		"X-Forwarded-Proto: http\r\nX-Forwarded-Method: METHOD\r\nX-Forwarded-Host: 127.0.0.1\r\nX-Forwarded-Uri: URI\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n"
)

// TestProxyRequests replays the requests of the other proxies against the Caddyfile that
// docs/verify.md has for them.
func TestProxyRequests(t *testing.T) {
	for name, tc := range map[string]struct{ section, request string }{
		"Traefik":                 {"", traefikAsk},
		"Envoy":                   {"Envoy", envoyAsk},
		"Higress, as documented":  {"", higressAsk},
		"Higress, as on the page": {"", higressPageAsk},
		"APISIX":                  {"", apisixAsk},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, verifyPage(t, tc.section))
			login := f.through(f.plain).login("alice")
			token := "Authorization: Bearer " + login.str(t, "access_token") + "\r\n"
			ask := func(method, uri, token string) response {
				return f.replay(strings.NewReplacer("METHOD", method, "URI", uri, "TOKEN", token).Replace(tc.request))
			}
			for _, uri := range []string{"/users?apikey=9a342114-ba8a-11ec-b1bf-00163e1250b5", "/orders"} {
				a := ask("GET", uri, token)
				a.want(t, http.StatusOK, "")
				if got := a.header.Get("X-Wx-Openid"); got != login.str(t, "openId") {
					t.Errorf("%s: X-WX-OPENID %q", uri, got)
				}
			}
			anonymous := ask("GET", "/static/app.js?v=1", "")
			anonymous.want(t, http.StatusOK, "")
			for name := range anonymous.header {
				if strings.HasPrefix(name, "X-Wx-") {
					t.Errorf("an anonymous request has %s", name)
				}
			}
			ask("DELETE", "/orders/1", "").want(t, http.StatusUnauthorized, "missing_token")
			ask("GET", "/orders", "Authorization: Bearer x\r\n").want(t, http.StatusUnauthorized, "invalid_token")
			ask("GET", "/pay/1", token).want(t, http.StatusForbidden, "phone_required")
			ask("GET", "/static/../pay/1", token).want(t, http.StatusForbidden, "invalid_request")
			ask("GET", "/static/%2e%2e/orders", "").want(t, http.StatusForbidden, "invalid_request")
		})
	}
}

// TestProxySnippetsNameHeaders: each snippet removes or sets every header that a client must
// not choose, also for proxies that the tests do not run.
func TestProxySnippetsNameHeaders(t *testing.T) {
	var names []string
	for _, name := range forgedHeaders {
		if strings.HasPrefix(name, "X-WX-") {
			names = append(names, name)
		}
	}
	for section, language := range map[string]string{"nginx": "nginx", "Envoy": "yaml", "Higress": "yaml", "APISIX": "json"} {
		snippet := strings.ToUpper(verifySnippet(t, section, language))
		for _, name := range names {
			if !regexp.MustCompile(regexp.QuoteMeta(name) + `[\s",]`).MatchString(snippet) {
				t.Errorf("the snippet for %s does not name %s", section, name)
			}
		}
	}
	traefik := regexp.MustCompile(`authResponseHeadersRegex: "(.*)"`).FindStringSubmatch(verifySnippet(t, "Traefik", "yaml"))
	for _, name := range names {
		if !regexp.MustCompile(traefik[1]).MatchString(http.CanonicalHeaderKey(name)) {
			t.Errorf("the snippet for Traefik leaves %s", name)
		}
	}
	var apisix struct {
		Plugins map[string]struct {
			Headers  []string `json:"upstream_headers"`
			Degrades bool     `json:"allow_degradation"`
		} `json:"plugins"`
	}
	if err := json.Unmarshal([]byte(verifySnippet(t, "APISIX", "json")), &apisix); err != nil {
		t.Fatal(err)
	}
	plugin := apisix.Plugins["forward-auth"]
	if !slices.Contains(plugin.Headers, "X-WX-PHONE") || plugin.Degrades {
		t.Errorf("the plugin is %+v", plugin)
	}
}
