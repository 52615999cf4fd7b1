package caddymodule_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// verifySite logs in on Addr, where Caddy's forward_auth asks the site on Plain whether to
// admit a request. OPTIONS stands for the options of wxgate_verify.
var verifySite = siteWith{global: `	servers {
		trusted_proxies static TRUSTED
	}`, store: "memory", sites: `
http://{{.Addr}} {
	handle /v1.0/pub/* {
		wxgate
	}
	handle /direct/* {
		reverse_proxy {{.Plain}}
	}
	handle {
		@hop header_regexp Connection (?i)x-wx-
		respond @hop 400
		forward_auth {{.Plain}} {
			uri /ask
			copy_headers X-WX-OPENID X-WX-APPID X-WX-UNIONID X-WX-SOURCE X-WX-SESSION X-WX-PHONE
		}
		reverse_proxy {{.Upstream}}
	}
}
http://{{.Plain}} {
	wxgate_verify {
		OPTIONS
	}
}`}.String()

func newVerify(t *testing.T, trusted, options string) *fixture {
	t.Helper()
	return newFixture(t, strings.NewReplacer("TRUSTED", trusted, "OPTIONS", options).Replace(verifySite))
}

const (
	loopback  = "127.0.0.0/8"
	elsewhere = "192.0.2.0/24"
)

const verifyRules = `public /free /static/*
		optional /maybe
		require phone on /pay/*`

// TestVerifyWithForwardAuth checks the requests that an upstream receives behind forward_auth.
func TestVerifyWithForwardAuth(t *testing.T) {
	f := newVerify(t, loopback, verifyRules)
	login := f.login("alice")
	bearer := "Bearer " + login.str(t, "access_token")
	spoofs := []string{"X-WX-OPENID", "victim", "X-Wx-Unionid", "victim", "X-WX-PHONE", "victim", "X-Forwarded-Uri", "/free", "X-Forwarded-Method", "OPTIONS"}

	f.do("GET", "/orders", "", append(spoofs, "Authorization", bearer)...).want(t, http.StatusOK, "")
	r := f.upstream.last(t)
	for name, want := range map[string]string{
		"X-Wx-Openid": login.str(t, "openId"), "X-Wx-Appid": wechatsim.DefaultApp.ID, "X-Wx-Source": "wx_client", "X-Wx-Unionid": "", "X-Wx-Phone": "",
	} {
		if got := r.Header.Get(name); got != want || want != "" && len(r.Header[name]) != 1 {
			t.Errorf("%s: %q, want %q once", name, r.Header[name], want)
		}
	}
	// Caddy would remove the headers that Connection names after forward_auth set them.
	f.do("GET", "/orders", "", "Authorization", bearer, "Connection", "close, X-Wx-Openid").want(t, http.StatusBadRequest, "")
	for _, path := range []string{"/free", "/static/a.css", "/maybe"} {
		f.do("GET", path, "", spoofs...).want(t, http.StatusOK, "")
		for name := range f.upstream.last(t).Header {
			if strings.HasPrefix(name, "X-Wx-") {
				t.Errorf("%s: an anonymous request has %s", path, name)
			}
		}
	}
	for _, tc := range []struct {
		path   string
		header []string
		status int
		code   string
	}{
		{"/orders", nil, 401, "missing_token"},
		{"/orders", spoofs, 401, "missing_token"},
		{"/orders", []string{"Authorization", "Bearer x"}, 401, "invalid_token"},
		{"/orders", []string{"Authorization", bearer, "Authorization", bearer}, 403, "invalid_request"},
		{"/orders?access_token=x", []string{"Authorization", bearer}, 403, "invalid_request"},
		{"/maybe", []string{"Authorization", "Bearer x"}, 401, "invalid_token"},
		{"/pay/1", []string{"Authorization", bearer}, 403, "phone_required"},
		{"/free/../orders", nil, 403, "invalid_request"},
		{"/static/%2e%2e/orders", nil, 403, "invalid_request"},
		{"/static/..;/orders", nil, 403, "invalid_request"},
		{"/freedom", nil, 401, "missing_token"},
		{"/orders?/free", nil, 401, "missing_token"},
	} {
		f.do("GET", tc.path, "", tc.header...).want(t, tc.status, tc.code)
	}
	if n := f.upstream.count(); n != 0 {
		t.Errorf("%d refused requests reached the upstream", n)
	}
	f.do("POST", pub+"/logout", "", "Authorization", bearer).want(t, http.StatusNoContent, "")
	f.do("GET", "/orders", "", "Authorization", bearer).want(t, http.StatusUnauthorized, "session_revoked")
}

// ask sends a request directly to wxgate_verify, byte for byte.
func (f *fixture) ask(target string, header ...string) response {
	f.t.Helper()
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", target, f.plain)
	for i := 0; i < len(header); i += 2 {
		request += header[i] + ": " + header[i+1] + "\r\n"
	}
	return f.replay(request + "\r\n")
}

// replay sends a whole request to wxgate_verify.
func (f *fixture) replay(request string) response {
	f.t.Helper()
	conn := sendRaw(f.t, f.plain, request)
	defer conn.Close()
	received, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	defer received.Body.Close()
	body, err := io.ReadAll(received.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return response{received.StatusCode, received.Header, string(body)}
}

// TestVerifyPath: which header names the path, and when it is trusted.
func TestVerifyPath(t *testing.T) {
	for _, tc := range []struct {
		name, trusted, options string
		target                 string
		header                 []string
		status                 int
		code                   string
	}{
		{"Traefik", loopback, verifyRules, "/ask", []string{"X-Forwarded-Uri", "/free"}, 200, ""},
		{"Traefik, query", loopback, verifyRules, "/ask", []string{"X-Forwarded-Uri", "/free?x=1"}, 200, ""},
		{"own path", loopback, verifyRules, "/free", []string{"X-Forwarded-Uri", "/orders"}, 401, "missing_token"},
		{"no header", loopback, verifyRules, "/free", nil, 403, "forbidden"},
		{"another header alone", loopback, verifyRules, "/free", []string{"X-Original-URI", "/free"}, 403, "forbidden"},
		{"not trusted", elsewhere, verifyRules, "/free", []string{"X-Forwarded-Uri", "/free"}, 403, "forbidden"},
		{"twice", loopback, verifyRules, "/ask", []string{"X-Forwarded-Uri", "/free", "X-Forwarded-Uri", "/free"}, 403, "invalid_request"},
		{"two URIs", loopback, verifyRules, "/ask", []string{"X-Forwarded-Uri", "/free", "X-Original-URI", "/orders"}, 403, "invalid_request"},
		{"a URL", loopback, verifyRules, "/ask", []string{"X-Forwarded-Uri", "http://evil/free"}, 403, "invalid_request"},
		{"two slashes", loopback, verifyRules, "/ask", []string{"X-Forwarded-Uri", "//evil/free"}, 403, "invalid_request"},
		{"relative", loopback, verifyRules, "/ask", []string{"X-Forwarded-Uri", "free"}, 403, "invalid_request"},
		{"empty", loopback, verifyRules, "/ask", []string{"X-Forwarded-Uri", ""}, 403, "invalid_request"},
		{"dots", loopback, verifyRules, "/ask", []string{"X-Forwarded-Uri", "/free/../orders"}, 403, "invalid_request"},
		{"fragment", loopback, verifyRules, "/ask", []string{"X-Forwarded-Uri", "/orders#/free"}, 403, "invalid_request"},
		{"nginx", loopback, verifyRules + "\npath_from original", "/ask", []string{"X-Original-URI", "/free"}, 200, ""},
		{"nginx, a client's header", loopback, verifyRules + "\npath_from original", "/ask", []string{"X-Original-URI", "/orders", "X-Forwarded-Uri", "/free"}, 403, "invalid_request"},
		{"nginx, a client's header alone", loopback, verifyRules + "\npath_from original", "/ask", []string{"X-Forwarded-Uri", "/free"}, 403, "forbidden"},
		{"Envoy", elsewhere, verifyRules + "\npath_from request", "/free", nil, 200, ""},
		{"Envoy, a client's header", loopback, verifyRules + "\npath_from request", "/orders", []string{"X-Forwarded-Uri", "/free", "X-Original-URI", "/free"}, 401, "missing_token"},
		{"no rules", elsewhere, "", "/ask", []string{"X-Forwarded-Uri", "/free"}, 401, "missing_token"},
		{"a token in an unknown query", elsewhere, "token_from query t", "/ask?t=x", nil, 403, "forbidden"},
		{"a token in the query", loopback, "token_from query t", "/ask", []string{"X-Forwarded-Uri", "/x?t=x"}, 401, "invalid_token"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newVerify(t, tc.trusted, tc.options)
			f.ask(tc.target, tc.header...).want(t, tc.status, tc.code)
		})
	}
}

// TestVerifyResponses: the responses to a proxy when wxgate_verify has no path rules.
func TestVerifyResponses(t *testing.T) {
	f := newVerify(t, elsewhere, "headers {\nphone X-WX-PHONE\n}")
	login := f.login("alice")
	a := f.ask("/ask", "Authorization", "Bearer "+login.str(t, "access_token"), "X-WX-OPENID", "victim", "X-WX-PHONE", "victim")
	a.want(t, http.StatusOK, "")
	if got := a.header["X-Wx-Openid"]; len(got) != 1 || got[0] != login.str(t, "openId") {
		t.Errorf("X-WX-OPENID %q", got)
	}
	if a.header.Get("X-Wx-Phone") != "" || a.header.Get("Cache-Control") != "no-store" || a.body != "" {
		t.Errorf("headers %v, body %q", a.header, a.body)
	}
	refused := f.ask("/ask", "X-WX-OPENID", "victim")
	refused.want(t, http.StatusUnauthorized, "missing_token")
	for name := range refused.header {
		if strings.HasPrefix(name, "X-Wx-") {
			t.Errorf("a refusal has %s", name)
		}
	}
}

// TestVerifyLogsUnknownURI: the log names both remedies, once.
func TestVerifyLogsUnknownURI(t *testing.T) {
	f := newFixture(t, strings.NewReplacer("TRUSTED", loopback, "OPTIONS", verifyRules,
		"persist_config off", "persist_config off\n\tlog {\n\t\toutput file {{.Dir}}/log\n\t}").Replace(verifySite))
	for range 3 {
		f.ask("/ask", "X-Original-URI", "/free").want(t, http.StatusForbidden, "forbidden")
	}
	const want = "wxgate_verify cannot determine the original URI: add the proxy to trusted_proxies, and have it send X-Forwarded-Uri or set path_from"
	if log := f.log(); strings.Count(log, want) != 1 || !strings.Contains(log, `"trusted_proxy":true,"path_from":"forwarded"`) {
		t.Errorf("the log does not have %q once:\n%s", want, log)
	}
}

// TestVerifyProblemHeader: refusals carry the problem document in a header for nginx, and for
// no other proxy.
func TestVerifyProblemHeader(t *testing.T) {
	for _, pathFrom := range []string{"original", "forwarded", "request"} {
		t.Run(pathFrom, func(t *testing.T) {
			f := newVerify(t, loopback, "path_from "+pathFrom)
			a := f.ask("/ask", "X-Wxgate-Problem", "a client's")
			a.want(t, http.StatusUnauthorized, "missing_token")
			want := ""
			if pathFrom == "original" {
				want = a.body
			}
			if got := a.header.Get("X-Wxgate-Problem"); got != want {
				t.Errorf("X-Wxgate-Problem %q, want %q", got, want)
			}
			a = f.ask("/ask", "Authorization", "Bearer "+f.token("alice"))
			a.want(t, http.StatusOK, "")
			if got := a.header.Values("X-Wxgate-Problem"); len(got) != 0 {
				t.Errorf("a 200 has X-Wxgate-Problem %q", got)
			}
		})
	}
}

// TestTrustedEveryone: if every client counts as a trusted proxy, a wxgate_verify that would
// trust the path fails to load, and wxgate warns.
func TestTrustedEveryone(t *testing.T) {
	const refusal, warning = "trusted_proxies contains every address, so any client could send ", "trusted_proxies contains every address: any client can forge its own address"
	for _, tc := range []struct {
		trusted, options string
		refused, warns   bool
	}{
		{"0.0.0.0/0", "public /free", true, true},
		{"::/0", "require phone on /pay", true, true},
		{"0.0.0.0/1 128.0.0.0/1", "optional /maybe", true, true},
		{"10.0.0.0/8 128.0.0.0/1", "token_from query t", true, true},
		{"2000::/3", "public /free\npath_from original", true, true},
		{"0.0.0.0/0", "", false, true},
		{"0.0.0.0/0 ::/0", "public /free\npath_from request", false, true},
		{"private_ranges", "public /free", false, false},
		{"192.0.2.0/24 2001:db8::/32", "public /free", false, false},
	} {
		t.Run(tc.trusted+" "+tc.options, func(t *testing.T) {
			f := newStoppedFixture(t, simConfig(), strings.NewReplacer("TRUSTED", tc.trusted, "OPTIONS", tc.options,
				"persist_config off", "persist_config off\n\tlog {\n\t\toutput file {{.Dir}}/log\n\t}").Replace(verifySite))
			err := f.tryLoad()
			if refused := err != nil && strings.Contains(err.Error(), refusal); refused != tc.refused || err != nil && !refused {
				t.Fatalf("loading: %v, want a refusal: %v", err, tc.refused)
			}
			if warned := strings.Contains(f.log(), warning); warned != tc.warns {
				t.Errorf("warned: %v, want %v:\n%s", warned, tc.warns, f.log())
			}
		})
	}
}
