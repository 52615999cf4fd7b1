package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	s := newRulesSite(t)
	core, lines := observer.New(zapcore.ErrorLevel)
	s.gateway.Logger = zap.New(core)
	s.gateway.Edge.Asks = true
	s.gateway.Edge.Prefix = ""
	token := s.login(first).get("access_token")
	const proxy, client = "10.0.0.1:1", "192.0.2.9:1"
	bearer := []string{"Authorization", "Bearer " + token}
	with := func(pairs ...string) []string { return append(pairs, bearer...) }
	for _, test := range []struct {
		name    string
		from    PathFrom
		peer    string
		target  string
		headers []string
		status  int
		openid  bool
	}{
		{"a token", PathFromForwarded, proxy, "/", with("X-Forwarded-Uri", "/orders"), 200, true},
		{"no token", PathFromForwarded, proxy, "/", []string{"X-Forwarded-Uri", "/orders"}, 401, false},
		{"public", PathFromForwarded, proxy, "/", []string{"X-Forwarded-Uri", "/public/a?b=c"}, 200, false},
		{"required", PathFromForwarded, proxy, "/", with("X-Forwarded-Uri", "/phone/a"), 403, false},
		{"dots are 403", PathFromForwarded, proxy, "/", with("X-Forwarded-Uri", "/public/../phone/a"), 403, false},
		{"no header", PathFromForwarded, proxy, "/public/a", bearer, 403, false},
		{"a client's header", PathFromForwarded, client, "/", []string{"X-Forwarded-Uri", "/public/a"}, 403, false},
		{"two headers", PathFromForwarded, proxy, "/", []string{"X-Forwarded-Uri", "/public/a", "X-Forwarded-Uri", "/public/a"}, 403, false},
		{"a URL", PathFromForwarded, proxy, "/", with("X-Forwarded-Uri", "http://x/public/a"), 403, false},
		{"a host", PathFromForwarded, proxy, "/", with("X-Forwarded-Uri", "//x"), 403, false},
		{"no path", PathFromForwarded, proxy, "/", with("X-Forwarded-Uri", ""), 403, false},
		{"garbage", PathFromForwarded, proxy, "/", with("X-Forwarded-Uri", "/%zz"), 403, false},
		{"the other header agrees", PathFromForwarded, proxy, "/", with("X-Forwarded-Uri", "/orders", "X-Original-Uri", "/orders"), 200, true},
		{"the other header differs", PathFromForwarded, proxy, "/", with("X-Forwarded-Uri", "/orders", "X-Original-Uri", "/public/a"), 403, false},
		{"nginx", PathFromOriginal, proxy, "/", with("X-Original-Uri", "/orders"), 200, true},
		{"nginx, refused", PathFromOriginal, proxy, "/", with("X-Original-Uri", "/phone/a"), 403, false},
		{"Envoy", PathFromRequest, client, "/orders", bearer, 200, true},
		{"Envoy, required", PathFromRequest, client, "/phone/a", bearer, 403, false},
		{"Envoy ignores headers", PathFromRequest, proxy, "/orders", []string{"X-Forwarded-Uri", "/public/a"}, 401, false},
		{"TRACE", PathFromForwarded, proxy, "/", with("X-Forwarded-Uri", "/orders", "X-Forwarded-Method", "TRACE"), 403, false},
		{"a tunnel", PathFromForwarded, proxy, "/", with("X-Forwarded-Uri", "/orders", "Upgrade", "h2c", "Connection", "Upgrade"), 403, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := &Verifier{Guard: s.gateway.Guard, PathFrom: test.from}
			r := httptest.NewRequest(http.MethodGet, test.target, nil)
			r.RemoteAddr = test.peer
			for i := 0; i < len(test.headers); i += 2 {
				r.Header.Add(test.headers[i], test.headers[i+1])
			}
			r.Header.Set("X-Wx-Openid", "mallory")
			w := httptest.NewRecorder()
			if err := v.ServeHTTP(w, r); err != nil {
				t.Fatal(err)
			}
			openid := ""
			if test.openid {
				openid = wechatsim.OpenIDFor(first.ID, "alice")
			}
			if got := w.Header().Get("X-Wx-Openid"); w.Code != test.status || got != openid {
				t.Errorf("status %d, openid %q, want %d, %q: %s", w.Code, got, test.status, openid, w.Body)
			}
			if test.status == http.StatusOK && w.Header().Get("Cache-Control") != "no-store" {
				t.Error("a cache may keep the decision")
			}
			carried := w.Header().Get("X-Wxgate-Problem")
			if want := test.from == PathFromOriginal && test.status != http.StatusOK; (carried != "") != want || want && carried != w.Body.String() {
				t.Errorf("the problem in the header is %q", carried)
			}
		})
	}
	if n := lines.FilterMessageSnippet("cannot determine the original URI").Len(); n != 2 {
		t.Errorf("%d lines of two verifiers without a path", n)
	}
}

// If the rules don't depend on the path, the header is not needed.
func TestVerifyWithoutPaths(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.gateway.Edge.ComparesPaths, s.gateway.Edge.Asks = false, true
	v := &Verifier{Guard: s.gateway.Guard, PathFrom: PathFromForwarded}
	if v.NeedsURI() {
		t.Error("the URI is needed")
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+s.login(first).get("access_token"))
	w := httptest.NewRecorder()
	if err := v.ServeHTTP(w, r); err != nil || w.Code != http.StatusOK {
		t.Errorf("%v, status %d", err, w.Code)
	}
	credentials, err := edge.NewCredentials(edge.Source{Kind: edge.SourceQuery, Name: "t"}, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.gateway.Edge.Credentials = credentials; !v.NeedsURI() {
		t.Error("a token in the query does not need the URI")
	}
}

func TestPathFrom(t *testing.T) {
	t.Parallel()
	for value, header := range map[PathFrom]string{PathFromForwarded: "X-Forwarded-Uri", PathFromOriginal: "X-Original-Uri", PathFromRequest: ""} {
		if !value.Valid() || value.Header() != header {
			t.Errorf("%s: %t, %q", value, value.Valid(), value.Header())
		}
	}
	if PathFrom("x").Valid() || PathFrom("").Valid() {
		t.Error("an unknown value is valid")
	}
}
