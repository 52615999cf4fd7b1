package gateway

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// pathSet compiles patterns.
func pathSet(t testing.TB, patterns ...string) edge.PathSet {
	t.Helper()
	set, err := edge.NewPathSet(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// newRulesSite returns a site with public and optional paths, and requirements.
func newRulesSite(t testing.TB) *site {
	t.Helper()
	return newSite(t, func(_ *site, c *Config) {
		c.Guard.Public, c.Guard.Optional = pathSet(t, "/public/*", "/both"), pathSet(t, "/optional/*")
		c.Guard.Require = []Requirement{
			{What: AttributePhone, Paths: pathSet(t, "/phone/*", "/public/phone").Lenient()},
			{What: AttributeUnionID, Paths: pathSet(t, "/unionid/*").Lenient()},
			{What: AttributeFresh, MaxAge: time.Hour, Paths: pathSet(t, "/fresh/*").Lenient()},
			{What: AttributeFresh, MaxAge: time.Nanosecond, Paths: pathSet(t, "/now/*").Lenient()},
			{What: AttributeApp, Apps: map[auth.AppID]struct{}{auth.AppID(second.ID): {}}, Paths: pathSet(t, "/second/*").Lenient()},
		}
	})
}

func TestDecide(t *testing.T) {
	t.Parallel()
	s := newRulesSite(t)
	one, two := s.login(first).get("access_token"), s.login(second).get("access_token")
	for _, test := range []struct {
		name, path, token string
		status            int
		code              string
		anonymous         bool
	}{
		{"a token", "/orders", one, 200, "", false},
		{"no token", "/orders", "", 401, "missing_token", false},
		{"a made-up token", "/orders", "x.y.z", 401, "invalid_token", false},
		{"public", "/public/a", "", 200, "", true},
		{"public with a token", "/public/a", one, 200, "", true},
		{"public with a made-up token", "/public/a", "x", 200, "", true},
		{"optional", "/optional/a", "", 200, "", true},
		{"optional with a token", "/optional/a", one, 200, "", false},
		{"optional with a made-up token", "/optional/a", "x", 401, "invalid_token", false},
		{"public and required", "/public/phone", "", 401, "missing_token", false},
		{"public and required, with a token", "/public/phone", one, 403, "phone_required", false},
		{"phone", "/phone/a", one, 403, "phone_required", false},
		{"phone in another case", "/PHONE/a", one, 403, "phone_required", false},
		{"unionid", "/unionid/a", one, 403, "unionid_required", false},
		{"a recent login", "/fresh/a", one, 200, "", false},
		{"an old login", "/now/a", one, 401, "login_too_old", false},
		{"no login", "/now/a", "", 401, "missing_token", false},
		{"the wrong app", "/second/a", one, 403, "app_not_admitted", false},
		{"the right app", "/second/a", two, 200, "", false},
		{"dots", "/public/../orders", one, 400, "invalid_request", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var headers []string
			if test.token != "" {
				headers = []string{"Authorization", "Bearer " + test.token}
			}
			r := s.do(http.MethodGet, test.path, "", append(headers, "X-WX-OPENID", "mallory")...)
			r.t = t
			r.want(test.status, test.code)
			if (s.passed != nil) != (test.status == http.StatusOK) || s.shown["code"] != test.code {
				t.Fatalf("reached the upstream: %t, code in the log %q", s.passed != nil, s.shown["code"])
			}
			if refusedUser := slices.Contains([]string{"phone_required", "unionid_required", "app_not_admitted", "login_too_old"}, test.code); (s.shown["user"] != "") != refusedUser {
				t.Errorf("the log names the user %q", s.shown["user"])
			}
			if s.passed == nil {
				return
			}
			openid := ""
			if !test.anonymous {
				app := first.ID
				if test.token == two {
					app = second.ID
				}
				openid = wechatsim.OpenIDFor(app, "alice")
			}
			if got := s.passed.Header.Get("X-Wx-Openid"); got != openid || s.shown["openid"] != openid {
				t.Errorf("the upstream got the openid %q, placeholder %q, want %q", got, s.shown["openid"], openid)
			}
			if assertion := s.passed.Header.Get("X-Wx-Assertion"); (strings.Count(assertion, ".") == 2) == test.anonymous {
				t.Errorf("the assertion is %q", assertion)
			}
			if s.passed.Header.Get("Authorization") != "" {
				t.Error("the upstream got the token")
			}
		})
	}
}

func TestNotAdmitted(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	token := s.login(second).get("access_token")
	delete(s.gateway.Admitted, auth.AppID(second.ID))
	s.do(http.MethodGet, "/orders", "", "Authorization", "Bearer "+token).want(http.StatusForbidden, "app_not_admitted")
	s.do(http.MethodGet, pub+"/session", "", "Authorization", "Bearer "+token).want(http.StatusForbidden, "app_not_admitted")
	if s.shown["user"] == "" {
		t.Error("the log does not name the user")
	}
}

func TestStale(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	bearer := s.bearer()
	for stale, status := range map[time.Duration]int{0: 200, testAllowance: 200, testAllowance + 1: 503} {
		s.runtime.Stale = func() time.Duration { return stale }
		s.do(http.MethodGet, "/orders", "", bearer...).want(status, "")
	}
	id := &auth.Identity{}
	d := decision{runtime: s.runtime, id: id}
	s.runtime.Stale = func() time.Duration { return testAllowance + 1 }
	if err := s.gateway.whyEnded(d); !errors.Is(err, errStale) || !errors.Is(err, auth.ErrStoreUnavailable) {
		t.Errorf("a stale response ended with %v", err)
	}
	s.runtime.Stale = nil
	if err := s.gateway.whyEnded(d); !errors.Is(err, auth.ErrTokenExpired) {
		t.Errorf("an expired response ended with %v", err)
	}
}

// TestRuntimeIsReleased: a request releases the runtime when it ends, with any result, and the
// last request closes it.
func TestRuntimeIsReleased(t *testing.T) {
	t.Parallel()
	s := newRulesSite(t)
	closed := 0
	s.runtime.close = func() error { closed++; return nil }
	bearer := s.bearer()
	s.next = func(http.ResponseWriter, *http.Request) error {
		if n := s.runtime.users.Load(); n != 2 {
			t.Errorf("%d users during a request", n)
		}
		return nil
	}
	s.do(http.MethodGet, "/orders", "", bearer...)
	for _, path := range []string{"/phone/a", "/orders", pub + "/session", pub + "/live", pub + "/logout"} {
		s.do(http.MethodGet, path, "", "Authorization", "Bearer x")
	}
	s.gateway.Logger.Sync() //nolint:errcheck // discards everything
	if n := s.runtime.users.Load(); n != 1 || closed != 0 {
		t.Errorf("%d users, closed %d times", n, closed)
	}
	s.runtime.Release()
	if closed != 1 || s.runtime.Acquire() {
		t.Errorf("closed %d times, and may be acquired again", closed)
	}
}

// TestErrorsOfTheUpstream: error routes get neither the identity nor its placeholders.
func TestErrorsOfTheUpstream(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	bearer := s.bearer()
	failure := errors.New("bad gateway")
	for _, headers := range [][]string{bearer, nil} {
		r := httptest.NewRequest(http.MethodGet, "/orders", nil)
		if headers == nil {
			s.gateway.Public = pathSet(t, "/orders")
		} else {
			r.Header.Set(headers[0], headers[1])
		}
		s.shown["user"] = ""
		err := s.gateway.ServeHTTP(httptest.NewRecorder(), r, nextFunc(func(http.ResponseWriter, *http.Request) error { return failure }))
		if !errors.Is(err, failure) || r.Header.Get("X-Wx-Openid") != "" || r.Header.Get("X-Wx-Assertion") != "" || s.shown["openid"] != "" {
			t.Errorf("%v, headers %v, placeholder %q", err, r.Header, s.shown["openid"])
		}
		if (s.shown["user"] != "") != (headers != nil) {
			t.Errorf("the log names the user %q", s.shown["user"])
		}
	}
}

// TestForwardToken: a forwarded token is kept out of the log, also on public paths.
func TestForwardToken(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(_ *site, c *Config) {
		credentials, err := edge.NewCredentials(edge.Source{}, true, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Guard.Edge.Credentials, c.ForwardToken, c.Guard.Public = credentials, true, pathSet(t, "/public")
	})
	bearer := s.bearer()
	for _, path := range []string{"/orders", "/public"} {
		s.do(http.MethodGet, path, "", bearer...).want(http.StatusOK, "")
		if _, ok := edge.RedactorOf(s.passed); !ok {
			t.Errorf("%s: the request has no redactor", path)
		}
	}
	s = newSite(t, func(_ *site, c *Config) { c.Guard.Public = pathSet(t, "/public") })
	s.do(http.MethodGet, "/public", "").want(http.StatusOK, "")
	if _, ok := edge.RedactorOf(s.passed); ok {
		t.Error("a request without a token has a redactor")
	}
}

// TestSpoofedHeaders: identity headers of a client are counted and never passed on, also with a
// token. A tunnel is refused.
func TestSpoofedHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	r := s.do(http.MethodGet, "/orders", "", append(s.bearer(), "X_Wx_Openid", "mallory", "X-WX-Phone", "1", "X-Wx-Unionid", "u")...)
	r.want(http.StatusOK, "")
	for name, values := range s.passed.Header {
		if strings.Contains(strings.Join(values, " "), "mallory") || name == "X-Wx-Phone" || name == "X-Wx-Unionid" {
			t.Errorf("%s: %v reached the upstream", name, values)
		}
	}
	s.do(http.MethodTrace, "/orders", "").want(http.StatusMethodNotAllowed, "invalid_request")
	if s.passed != nil {
		t.Error("TRACE reached the upstream")
	}
}
