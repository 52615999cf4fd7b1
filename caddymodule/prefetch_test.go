package caddymodule_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simprefetch"
)

// bootURL returns the path and the query of a prefetch of the default app.
func bootURL(name, credential string) string {
	return "/boot?appid=" + wechatsim.DefaultApp.ID + "&" + name + "=" + credential + "&timestamp=1700000000000&path=pages%2Findex&scene=1001"
}

// withPrefetch adds the option prefetch to the site of a Caddyfile.
func withPrefetch(config string) string {
	return strings.Replace(config, "\twxgate\n", "\twxgate {\n\t\tprefetch /boot\n\t}\n", 1)
}

// prefetchToken logs a user in and returns the token that the mini program gives to WeChat.
func (f *fixture) prefetchToken(name string) string {
	f.t.Helper()
	a := f.do("POST", pub+"/prefetch-token", "", "Authorization", "Bearer "+f.token(name))
	a.want(f.t, http.StatusOK, "")
	return a.str(f.t, "prefetch_token")
}

// accessLines returns the lines of the access log.
func (f *fixture) accessLines() (lines []accessLine) {
	f.t.Helper()
	for line := range strings.Lines(f.log()) {
		var l accessLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			f.t.Fatal(err)
		}
		if l.Message == "handled request" {
			lines = append(lines, l)
		}
	}
	return lines
}

type accessLine struct {
	Message string `json:"msg"`
	Status  int    `json:"status"`
	User    string `json:"user_id"`
	Code    string `json:"wxgate_code"`
	Request struct {
		URI string `json:"uri"`
	} `json:"request"`
}

// TestPrefetchIsNotLogged: the token and the code of a prefetch are sent to WeChat only. They are
// in no log, trace or response, with every log at DEBUG, and with headers and error routes that
// contain the URI.
func TestPrefetchIsNotLogged(t *testing.T) {
	received := startOTLP(t)
	f := newStoppedFixture(t, simConfig(), siteWith{
		global:  logTo("DEBUG") + "\nservers {\n\t\ttrace\n\t}",
		handler: "prefetch /boot",
		routes: `log
	tracing {
		span wxgate
	}
	header X-From-Site yes
	header +X-Added yes
	request_header X-Uris "{http.request.orig_uri} {http.request.orig_uri.query} {http.request.uri} {query} {http.request.uri.query.token} {http.request.uri.query.code}"
	handle_errors {
		header X-Failed "{http.request.orig_uri} {http.request.uri} {query}"
		respond "the service is down"
	}`,
	}.String())
	f.load()
	token := f.prefetchToken("alice")
	var secrets []string
	uri := strings.Replace(bootURL("", ""), "&=", "", 1) // without a credential
	expect := func(target, secret string, status int, code string) {
		t.Helper()
		secrets = append(secrets, secret)
		a := f.do("GET", target, "", "Referer", "https://example.com"+target, "X-Original-Uri", target, "X-Anything", "<"+secret+">")
		if a.status != status || code != "" && a.str(t, "code") != code {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
		if strings.Contains(fmt.Sprint(a.header, a.body), secret) {
			t.Errorf("the response has the credential: %v %s", a.header, a.body)
		}
		if got := a.header.Values("X-From-Site"); len(got) != 1 {
			t.Errorf("X-From-Site: %v", got)
		}
		lines := f.accessLines()
		last := lines[len(lines)-1]
		if last.Request.URI != uri || last.Status != status || last.Code != code || (code == "" && last.User == "") {
			t.Errorf("the access log has %+v", last)
		}
	}
	code := f.code("alice")
	before := len(f.accessLines())
	expect(bootURL("token", token), token, 200, "")
	expect(bootURL("code", code), code, 200, "")
	sent := f.upstream.last(t)
	var text bytes.Buffer
	_ = sent.Write(&text)
	if header := sent.Header; header.Get("X-Wx-Openid") == "" || !strings.Contains(header.Get("X-Uris"), "pages%2Findex") || header.Get("Referer") != "" {
		t.Errorf("the upstream got %v", header)
	}
	if sent.RequestURI != uri || strings.Contains(text.String(), code) {
		t.Errorf("the upstream got %s", text.String())
	}
	expect(bootURL("code", code), code, 401, "code_used")
	expect(bootURL("token", "wxp_invalid-token"), "wxp_invalid-token", 401, "invalid_token")
	expect(bootURL("code", "first-code-of-two&code=twice"), "first-code-of-two", 400, "invalid_request")
	expect(bootURL("%74oken", "misspelled-token"), "misspelled-token", 400, "invalid_request")
	f.upstream.respondWith(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 300<<10)) })
	expect(bootURL("token", token), token, 502, "response_too_large")
	f.config = strings.Replace(f.config, "{{.Upstream}}", freeAddr(t), 1)
	f.load()
	failed := f.do("GET", bootURL("token", token), "")
	if failed.status != 502 || failed.body != "the service is down" || strings.Contains(failed.header.Get("X-Failed"), token) || !strings.Contains(failed.header.Get("X-Failed"), "pages") {
		t.Errorf("while the upstream is down: %d %v %s", failed.status, failed.header, failed.body)
	}
	if n := len(f.accessLines()) - before; n != 8 {
		t.Errorf("%d lines in the access log, want one for each of 8 requests", n)
	}
	f.stop() // exports the spans
	received.mu.Lock()
	defer received.mu.Unlock()
	spans := strings.Join(received.raw, "")
	if len(received.spans) == 0 {
		t.Error("no spans")
	}
	for _, secret := range secrets {
		if strings.Contains(spans, secret) {
			t.Errorf("%s was exported", secret)
		}
		for line := range strings.Lines(f.log()) {
			if strings.Contains(line, secret) {
				t.Errorf("%s was logged: %s", secret, line)
			}
		}
	}
	if !strings.Contains(f.log(), "WeChat keeps at most 262144 bytes") {
		t.Error("the log does not report that the response is too large")
	}
}

// TestPrefetch sends prefetches as WeChat does when a mini program starts, with a token and with a
// code, through handle_path and a rewrite, and after a restart of the gateway.
func TestPrefetch(t *testing.T) {
	f := newFixture(t, siteWith{sites: `http://{{.Addr}} {
	handle_path /api/* {
		rewrite /data /boot
		wxgate {
			prefetch /boot
		}
		reverse_proxy {{.Upstream}}
	}
}`}.String())
	fetch := func(path, token string) simprefetch.Result {
		t.Helper()
		result, err := simprefetch.Do(t.Context(), f.sim.Sim, simprefetch.Fetch{
			URL: f.url + path + "?v=2", User: wechatsim.User{Name: "alice"}, Token: token, Path: "pages/index", Query: "a=1", Scene: 1001, Version: "1.0",
		})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	login := f.do("POST", "/api"+pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("alice")))
	a := f.do("POST", "/api"+pub+"/prefetch-token", "", "Authorization", "Bearer "+login.str(t, "access_token"))
	token := a.str(t, "prefetch_token")
	check := func(credential string, got simprefetch.Result) {
		t.Helper()
		if !got.Kept || got.Body != "ok" {
			t.Fatalf("%+v", got)
		}
		r := f.upstream.last(t)
		if r.URL.Path != "/boot" || r.URL.Query().Get("v") != "2" || r.Header.Get("X-Wx-Openid") != login.str(t, "openId") || r.URL.Query().Has(credential) {
			t.Errorf("the upstream got %s %v", r.URL, r.Header)
		}
	}
	check("token", fetch("/api/boot", token))
	check("token", fetch("/api/data", token))
	check("code", fetch("/api/boot", ""))
	f.stop()
	f.load()
	check("token", fetch("/api/boot", token))
	f.do("POST", "/api"+pub+"/logout", "{}", "Authorization", "Bearer "+login.str(t, "access_token")).want(t, http.StatusNoContent, "")
	if got := fetch("/api/boot", token); got.Kept || got.Status != http.StatusUnauthorized {
		t.Errorf("after the logout: %+v", got)
	}
}
