package gateway

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/limit"
	"github.com/wxgate/wxgate/internal/gateway/metadata"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

const pub = "/v1.0/pub"

func TestLogin(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	referer := func(app string) []string {
		return []string{"Referer", "https://servicewechat.com/" + app + "/3/page-frame.html"}
	}
	for name, test := range map[string]struct {
		body    string // CODE is a new code of the app
		app     wechatsim.App
		headers []string
		status  int
		code    string
	}{
		"appid":                       {`{"code":"CODE","appid":"wx0000000000000001"}`, first, nil, 200, ""},
		"appId":                       {`{"code":"CODE","appId":"wx0000000000000002"}`, second, nil, 200, ""},
		"app_id":                      {`{"code":"CODE","app_id":"wx0000000000000002"}`, second, nil, 200, ""},
		"referer":                     {`{"code":"CODE"}`, second, referer(second.ID), 200, ""},
		"the body before the referer": {`{"code":"CODE","appid":"wx0000000000000001"}`, first, referer(second.ID), 200, ""},
		"the code of another app":     {`{"code":"CODE","appid":"wx0000000000000002"}`, first, nil, 401, "invalid_code"},
		"an app that is not admitted": {`{"code":"CODE","appid":"wx0000000000000003"}`, first, nil, 400, "unknown_app"},
		"a referer without a version": {`{"code":"CODE"}`, first, []string{"Referer", "https://servicewechat.com/" + first.ID}, 400, "invalid_request"},
		"a referer of another site":   {`{"code":"CODE"}`, first, []string{"Referer", "https://example.com/" + first.ID + "/3/x"}, 400, "invalid_request"},
		"no app":                      {`{"code":"CODE"}`, first, nil, 400, "invalid_request"},
		"two apps":                    {`{"code":"CODE","appid":"wx0000000000000001","appId":"wx0000000000000002"}`, first, nil, 400, "invalid_request"},
		"no code":                     {`{"appid":"wx0000000000000001"}`, first, nil, 400, "invalid_request"},
		"not JSON":                    {`code=CODE`, first, nil, 400, "invalid_request"},
		"a made-up code":              {`{"code":"x","appid":"wx0000000000000001"}`, first, nil, 401, "invalid_code"},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.do(http.MethodPost, pub+"/openId", strings.ReplaceAll(test.body, "CODE", s.code(test.app)), test.headers...)
			r.t = t
			r.want(test.status, test.code)
			if s.passed != nil {
				t.Error("the login reached the next handler")
			}
			if test.status != http.StatusOK {
				return
			}
			if got, want := r.get("openId"), wechatsim.OpenIDFor(test.app.ID, "alice"); got != want || r.get("appId") != test.app.ID {
				t.Errorf("openid %q of %s, want %q of %s", got, r.get("appId"), want, test.app.ID)
			}
			if handle := r.get("session_key"); handle == "" || handle != r.get("sessionKey") || r.get("token_type") != "Bearer" {
				t.Errorf("the response is %s", r.body)
			}
			if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Content-Type") != "application/json; charset=utf-8" || r.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", r.header)
			}
		})
	}
}

func TestLoginOfTheOnlyApp(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(_ *site, c *Config) { delete(c.Guard.Admitted, auth.AppID(second.ID)) })
	s.do(http.MethodPost, pub+"/openId", `{"code":"`+s.code(first)+`"}`).want(http.StatusOK, "")
	s.do(http.MethodPost, pub+"/openId", `{"code":"`+s.code(second)+`","appid":"`+second.ID+`"}`).want(http.StatusBadRequest, "unknown_app")
}

func TestLimitsOfCalls(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(_ *site, c *Config) {
		once := limit.Rate{N: 1, Per: time.Hour}
		c.Limits = limit.New(limit.Config{Login: limit.Rate{N: 2, Per: time.Hour}, Phone: once, Decode: once, Inflight: 1})
	})
	bearer := s.bearer()
	for _, test := range []struct{ path, body string }{
		{"/decode", `{"code":"x"}`},
		{"/decode", `{"encrypted_data":"eA==","iv":"eA=="}`},
	} {
		if r := s.do(http.MethodPost, pub+test.path, test.body, bearer...); r.status == http.StatusTooManyRequests {
			t.Errorf("%s is limited at once", test.path)
		}
		r := s.do(http.MethodPost, pub+test.path, test.body, bearer...)
		r.want(http.StatusTooManyRequests, "rate_limited")
		if r.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", test.path)
		}
	}
	s.login(second)
	s.do(http.MethodPost, pub+"/openId", `{"code":"`+s.code(first)+`","appid":"`+first.ID+`"}`).want(http.StatusTooManyRequests, "rate_limited")

	// All concurrent calls to WeChat are in use.
	s = newSite(t, func(_ *site, c *Config) {
		many := limit.Rate{N: 9, Per: time.Hour}
		c.Limits = limit.New(limit.Config{Phone: many, Decode: many, Inflight: 1})
	})
	bearer = s.bearer()
	leave, err := s.gateway.config.Limits.Enter()
	if err != nil {
		t.Fatal(err)
	}
	s.do(http.MethodPost, pub+"/openId", `{"code":"`+s.code(first)+`","appid":"`+first.ID+`"}`).want(http.StatusTooManyRequests, "rate_limited")
	s.do(http.MethodPost, pub+"/decode", `{"code":"x"}`, bearer...).want(http.StatusTooManyRequests, "rate_limited")
	leave()
	s.login(first)
	s.login(first) // each call released its place
}

func TestRefreshLogoutRevoke(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	post := func(path, body string, headers ...string) response {
		return s.do(http.MethodPost, pub+path, body, headers...)
	}
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}

	login := s.login(first)
	pair := post("/refresh", `{"refresh_token":"`+login.get("refresh_token")+`"}`)
	pair.want(http.StatusOK, "")
	if pair.get("refresh_token") == login.get("refresh_token") || pair.get("openId") != "" {
		t.Errorf("the pair is %s", pair.body)
	}
	pair = post("/refresh", `{"refreshToken":"`+pair.get("refresh_token")+`"}`)
	pair.want(http.StatusOK, "")
	post("/refresh", `{}`).want(http.StatusBadRequest, "invalid_request")
	post("/refresh", `[]`).want(http.StatusBadRequest, "invalid_request")
	post("/refresh", `{"refresh_token":"a","refreshToken":"b"}`).want(http.StatusBadRequest, "invalid_request")
	post("/refresh", `{"refresh_token":"made-up"}`).want(http.StatusUnauthorized, "invalid_token")

	bearer := []string{"Authorization", "Bearer " + pair.get("access_token")}
	post("/logout", `{"all":1}`, bearer...).want(http.StatusBadRequest, "invalid_request")
	post("/logout", ``).want(http.StatusUnauthorized, "missing_token")
	out := post("/logout", `{}`, bearer...)
	out.want(http.StatusNoContent, "")
	if out.body != "" || out.header.Get("Cache-Control") != "no-store" || s.shown["user"] == "" {
		t.Errorf("the logout: %q %v, user %q", out.body, out.header, s.shown["user"])
	}
	post("/logout", `{}`, bearer...).want(http.StatusUnauthorized, "session_revoked")
	post("/refresh", `{"refresh_token":"`+pair.get("refresh_token")+`"}`).want(http.StatusUnauthorized, "session_revoked")

	one, two := s.login(first), s.login(first)
	post("/logout", `{"all":true}`, "Authorization", "Bearer "+one.get("access_token")).want(http.StatusNoContent, "")
	post("/refresh", `{"refresh_token":"`+two.get("refresh_token")+`"}`).want(http.StatusUnauthorized, "session_revoked")

	for name, test := range map[string]struct {
		body    func(response) string
		headers []string
		status  int
		ended   bool
	}{
		"refresh token":                {func(r response) string { return `{"token":"` + r.get("refresh_token") + `"}` }, nil, 200, true},
		"refresh token by its name":    {func(r response) string { return `{"refreshToken":"` + r.get("refresh_token") + `"}` }, nil, 200, true},
		"access token":                 {func(r response) string { return `{"token":"` + r.get("access_token") + `"}` }, nil, 200, true},
		"form":                         {func(r response) string { return "token=" + r.get("refresh_token") }, form, 200, true},
		"form with a charset":          {func(r response) string { return "token=" + r.get("refresh_token") }, []string{"Content-Type", form[1] + "; charset=utf-8"}, 200, true},
		"form with two tokens":         {func(r response) string { return "token=a&token=" + r.get("refresh_token") }, form, 400, false},
		"form that cannot be decoded":  {func(response) string { return "token=%zz" }, form, 400, false},
		"form without a token":         {func(response) string { return "a=b" }, form, 400, false},
		"two tokens":                   {func(r response) string { return `{"token":"x","refresh_token":"` + r.get("refresh_token") + `"}` }, nil, 400, false},
		"not JSON":                     {func(response) string { return `{` }, nil, 400, false},
		"unknown refresh token":        {func(response) string { return `{"token":"made-up"}` }, nil, 200, false},
		"access token that is invalid": {func(response) string { return `{"token":"a.b.c"}` }, nil, 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			login := s.login(first)
			r := post("/revoke", test.body(login), test.headers...)
			r.t = t
			r.want(test.status, "")
			refreshed := post("/refresh", `{"refresh_token":"`+login.get("refresh_token")+`"}`)
			if ended := refreshed.status == http.StatusUnauthorized; ended != test.ended {
				t.Errorf("the session ended: %t, want %t", ended, test.ended)
			}
		})
	}
}

// RFC 7009 section 2.2.1: while the store is down, the client must retry.
func TestRevokeWhileStale(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	login := s.login(first)
	s.runtime.Stale = func() time.Duration { return testAllowance + time.Millisecond }
	s.do(http.MethodPost, pub+"/revoke", `{"token":"`+login.get("access_token")+`"}`).want(http.StatusServiceUnavailable, "store_unavailable")
}

func TestSession(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.do(http.MethodGet, pub+"/session", "").want(http.StatusUnauthorized, "missing_token")
	r := s.do(http.MethodGet, pub+"/session", "", s.bearer()...)
	r.want(http.StatusOK, "")
	if r.get("openId") != wechatsim.OpenIDFor(first.ID, "alice") || r.get("appId") != first.ID || r.get("session") == "" || !strings.Contains(r.body, `"phone_verified":false`) {
		t.Errorf("the session is %s", r.body)
	}
	var expires int64
	if _, err := fmt.Sscanf(r.body[strings.Index(r.body, `"expires_in":`):], `"expires_in":%d`, &expires); err != nil || expires < 3500 || expires > 3600 {
		t.Errorf("expires_in %d, %v", expires, err)
	}
}

func TestSeconds(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]int64{time.Minute: 60, 1999 * time.Millisecond: 1, 0: 0, -time.Hour: 0} {
		if got := seconds(d); got != want {
			t.Errorf("%v: %d, want %d", d, got, want)
		}
	}
}

// TestEndpoints tests wrong methods, early data and other spellings of paths.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	early := []string{"Early-Data", "1"}
	for name, test := range map[string]struct {
		method, path string
		headers      []string
		status       int
		code, allow  string
	}{
		"GET for POST":            {"GET", "/openId", nil, 405, "invalid_request", "POST"},
		"PUT for POST":            {"PUT", "/refresh", nil, 405, "invalid_request", "POST"},
		"HEAD for POST":           {"HEAD", "/logout", nil, 405, "invalid_request", "POST"},
		"POST for GET":            {"POST", "/live", nil, 405, "invalid_request", "GET"},
		"HEAD for GET":            {"HEAD", "/live", nil, 200, "", ""},
		"POST in early data":      {"POST", "/openId", early, 425, "invalid_request", ""},
		"GET in early data":       {"GET", "/live", early, 200, "", ""},
		"no such call":            {"GET", "/nothing", nil, 404, "not_found", ""},
		"another spelling":        {"POST", "/%6fpenId", nil, 400, "invalid_request", ""},
		"another letter case":     {"GET", "/LIVE", nil, 404, "not_found", ""},
		"below a call":            {"GET", "/live/x", nil, 404, "not_found", ""},
		"a trailing slash":        {"GET", "/live/", nil, 404, "not_found", ""},
		"the key set has no POST": {"POST", "-jwks", nil, 405, "invalid_request", "GET"},
	} {
		t.Run(name, func(t *testing.T) {
			path := pub + test.path
			if test.path == "-jwks" {
				path = KeySetPath
			}
			r := s.do(test.method, path, "{}", append(test.headers, s.bearer()...)...)
			r.t = t
			r.want(test.status, test.code)
			if got := r.header.Get("Allow"); got != test.allow {
				t.Errorf("Allow %q, want %q", got, test.allow)
			}
			if s.passed != nil {
				t.Error("the request reached the next handler")
			}
		})
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	for prefix, ok := range map[string]bool{
		"/v1.0/pub": true, "/v1.0/pub/": true, "/": true, "": true, "/a": true,
		"a": false, "/a//b": false, "/a/../b": false, "/a%62": false, "/a/*": false, "/a?b": false,
	} {
		if err := CheckPrefix(prefix); (err == nil) != ok {
			t.Errorf("%q: %v", prefix, err)
		}
	}
	endpoints, err := newEndpoints("/login/")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{KeySetPath, "/login/decode", "/login/live", "/login/logout", "/login/openId", "/login/ready", "/login/refresh", "/login/revoke", "/login/session", "/login/userInfo"}
	if got := slices.Sorted(maps.Keys(endpoints)); !slices.Equal(got, want) {
		t.Errorf("paths %v, want %v", got, want)
	}
	if _, err := New(Config{Guard: new(Guard), Prefix: "x"}); err == nil {
		t.Error("New accepts the prefix x")
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	down := fmt.Errorf("%w: test", auth.ErrStoreUnavailable)
	for name, test := range map[string]struct {
		ready  error
		stale  time.Duration // -1 for a store that is not shared
		header []string
		status int
		body   string
	}{
		"ready":             {nil, -1, nil, 200, `{"status":"ready"}`},
		"down":              {down, -1, nil, 503, `{"status":"unready","reasons":["store_unavailable"]}`},
		"shared":            {nil, 0, nil, 200, `{"status":"ready"}`},
		"shared, down":      {down, testAllowance, nil, 200, `{"status":"degraded","reasons":["store_unavailable"]}`},
		"shared, too stale": {down, testAllowance + 1, nil, 503, `{"status":"unready","reasons":["store_unavailable","revocations_stale"]}`},
		"shutting down":     {nil, -1, []string{"X-Test-Shutting-Down", "1"}, 503, `{"status":"unready","reasons":["shutting_down"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			s.runtime.Ready = func(context.Context) error { return test.ready }
			if test.stale >= 0 {
				s.runtime.Stale = func() time.Duration { return test.stale }
			}
			r := s.do(http.MethodGet, pub+"/ready", "", test.header...)
			if r.status != test.status || r.body != test.body {
				t.Errorf("got %d %s, want %d %s", r.status, r.body, test.status, test.body)
			}
			if r := s.do(http.MethodGet, pub+"/live", "", test.header...); r.status != 200 || r.body != `{"status":"live"}` {
				t.Errorf("live: %d %s", r.status, r.body)
			}
		})
	}
}

// If the store cannot be opened, every call except live fails.
func TestClosedRuntime(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.gateway.Acquire = func() (*Runtime, error) { return nil, auth.ErrStoreUnavailable }
	for path, status := range map[string]int{pub + "/live": 200, pub + "/ready": 503, pub + "/session": 503, KeySetPath: 503} {
		if r := s.do(http.MethodGet, path, ""); r.status != status {
			t.Errorf("%s: status %d, want %d", path, r.status, status)
		}
	}
	s.do(http.MethodGet, "/orders", "").want(http.StatusServiceUnavailable, "store_unavailable")
}

func TestKeySet(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	r := s.do(http.MethodGet, KeySetPath, "")
	etag := r.header.Get("ETag")
	if r.status != http.StatusOK || !strings.Contains(r.body, `"kty"`) || etag == "" || r.header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("got %d %v %s", r.status, r.header, r.body)
	}
	if r := s.do(http.MethodGet, KeySetPath, "", "If-None-Match", etag); r.status != http.StatusNotModified || r.body != "" {
		t.Errorf("got %d %q", r.status, r.body)
	}
	if r := s.do(http.MethodGet, KeySetPath, "", "If-None-Match", `"x"`); r.status != http.StatusOK {
		t.Errorf("another ETag: %d", r.status)
	}
}

// TestMetadata: the metadata is public and cacheable, also while the store is down.
func TestMetadata(t *testing.T) {
	t.Parallel()
	m, err := metadata.New("https://login.example.com/wx", KeySetPath, pub+"/revoke")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(_ *site, c *Config) { c.Metadata = m })
	s.gateway.Acquire = func() (*Runtime, error) { return nil, auth.ErrStoreUnavailable }
	r := s.do(http.MethodGet, "/.well-known/oauth-authorization-server/wx", "")
	if r.status != http.StatusOK || r.body != string(m.Document) || r.header.Get("Cache-Control") != "public, max-age=3600" || r.header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("got %d %v %s", r.status, r.header, r.body)
	}
	s.do(http.MethodPost, m.Path, "").want(http.StatusMethodNotAllowed, "invalid_request")
	// No other path becomes public, and a site without the option has no metadata.
	s = newSite(t, func(_ *site, c *Config) { c.Metadata = m })
	s.do(http.MethodGet, "/.well-known/oauth-authorization-server", "").want(http.StatusUnauthorized, "missing_token")
	newSite(t, nil).do(http.MethodGet, m.Path, "").want(http.StatusUnauthorized, "missing_token")
}
