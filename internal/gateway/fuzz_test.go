package gateway

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/limit"
)

// FuzzServeHTTP sends requests without a valid token: a request reaches the upstream only on a
// public path, and never with an identity.
func FuzzServeHTTP(f *testing.F) {
	f.Add("GET", "/orders", "X-Wx-Openid", "mallory", "")
	f.Add("POST", "/v1.0/pub/openId", "Authorization", "Bearer x.y.z", `{"code":"x"}`)
	f.Add("GET", "/public/..;/orders", "X-Original-Url", "/orders", "")
	f.Add("POST", "/v1.0/pub/revoke", "Content-Type", "application/x-www-form-urlencoded", "token=a.b.c")
	f.Add("GET", "/v1.0/pub/callback?signature=x&timestamp=1&nonce=1&echostr=1", "X-Wx-Skey", "x", "")
	s := newSite(f, func(_ *site, c *Config) {
		c.Guard.Public, c.Guard.Wafer, c.WaferLogin = pathSet(f, "/public/*"), true, "/weapp/login"
		many := limit.Rate{N: 1 << 20, Per: 1 << 20}
		c.Limits = limit.New(limit.Config{Phone: many, Decode: many, Inflight: 1 << 10})
		delete(c.Guard.Admitted, auth.AppID(second.ID))
	})
	f.Fuzz(func(t *testing.T, method, target, name, value, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" {
			return // servers refuse such a request
		}
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Method, r.URL, r.RequestURI = method, u, target
		r.Header = http.Header{http.CanonicalHeaderKey(name): {value}}
		s.t = t
		got := s.serve(r)
		if s.passed != nil && (u.Path == "" || s.passed.Header.Get("X-Wx-Openid") != "" || !s.gateway.Public.Match(u.Path)) {
			t.Errorf("%s %s with %s: %q reached the upstream with %v", method, target, name, value, s.passed.Header)
		}
		if got.status < 200 || got.status > 599 {
			t.Errorf("status %d", got.status)
		}
	})
}

// FuzzVerifier asks about any URI: without a token, only public paths are admitted.
func FuzzVerifier(f *testing.F) {
	for _, uri := range []string{"/public/a", "/public/../orders", "//public/a", "/public/a?x=1", "/PUBLIC/a", "/public/%2e%2e/orders"} {
		f.Add(uri, "")
	}
	s := newRulesSite(f)
	s.gateway.Edge.Asks = true
	f.Fuzz(func(t *testing.T, uri, other string) {
		v := &Verifier{Guard: s.gateway.Guard, PathFrom: PathFromForwarded}
		r := httptest.NewRequest(http.MethodGet, "/public/a", nil)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header["X-Forwarded-Uri"] = []string{uri}
		if other != "" {
			r.Header["X-Original-Uri"] = []string{other}
		}
		w := httptest.NewRecorder()
		if err := v.ServeHTTP(w, r); err != nil {
			t.Fatal(err)
		}
		if w.Code != http.StatusOK {
			return
		}
		u, err := url.ParseRequestURI(uri)
		if err != nil || !s.gateway.Public.Match(u.Path) && !s.gateway.Optional.Match(u.Path) || other != "" && other != uri {
			t.Errorf("%q with %q is admitted", uri, other)
		}
	})
}
