package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/gateway/limit"
	"github.com/wxgate/wxgate/internal/gateway/prefetch"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// newPrefetchSite returns a site where WeChat fetches data at /boot, from an address of the
// simulator.
func newPrefetchSite(t testing.TB, change func(*site, *Config)) *site {
	t.Helper()
	return newSite(t, func(s *site, c *Config) {
		c.Prefetch = "/boot"
		c.Guard.Server.ClientIP = func(*http.Request) string { return "127.0.0.1" }
		if change != nil {
			change(s, c)
		}
	})
}

// prefetch makes WeChat's GET for the first app. Parameters come in pairs.
func (s *site) prefetch(parameters ...string) response {
	s.t.Helper()
	return s.do(http.MethodGet, boot(parameters...), "")
}

func boot(parameters ...string) string {
	query := url.Values{"appid": {first.ID}, "timestamp": {"1700000000000"}, "scene": {"1001"}, "path": {"pages/index"}}
	for i := 0; i < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	return "/boot?" + query.Encode()
}

// prefetchToken logs alice in and returns a token for prefetches, with her access token.
func (s *site) prefetchToken() (token string, bearer []string) {
	s.t.Helper()
	bearer = s.bearer()
	r := s.do(http.MethodPost, "/v1.0/pub/prefetch-token", "", bearer...)
	r.want(http.StatusOK, "")
	if r.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(r.get("prefetch_token"), "wxp_") {
		s.t.Errorf("prefetch-token: %v %s", r.header, r.body)
	}
	return r.get("prefetch_token"), bearer
}

// wantPassed checks that a prefetch reached the next handler with alice's identity, and that
// the request does not contain the credential.
func (s *site) wantPassed(r response, credential, session string) {
	s.t.Helper()
	r.want(http.StatusOK, "")
	if s.passed == nil {
		s.t.Fatal("the prefetch did not reach the next handler")
	}
	want := map[string]string{
		"X-Wx-Openid": wechatsim.OpenIDFor(first.ID, "alice"), "X-Wx-Appid": first.ID, "X-Wx-Source": "wx_client", "X-Wx-Session": session,
	}
	for name, value := range want {
		if got := s.passed.Header.Get(name); got != value {
			s.t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if s.shown["openid"] != want["X-Wx-Openid"] {
		s.t.Errorf("no placeholders: %v", s.shown)
	}
	var claims map[string]any
	_, payload, _ := strings.Cut(s.passed.Header.Get("X-Wx-Assertion"), ".")
	payload, _, _ = strings.Cut(payload, ".")
	text, _ := base64.RawURLEncoding.DecodeString(payload)
	if err := json.Unmarshal(text, &claims); err != nil {
		s.t.Fatalf("no assertion: %v", err)
	}
	sid, has := claims["sid"]
	if expires, _ := claims["exp"].(float64); claims["sub"] != want["X-Wx-Openid"] || expires < float64(time.Now().Unix()+30) || has != (session != "") || has && sid != session {
		s.t.Errorf("the assertion is %s", text)
	}
	var sent bytes.Buffer
	_ = s.passed.Write(&sent)
	for _, text := range []string{sent.String(), s.passed.RequestURI, s.passed.URL.String(), s.shown["uri"]} {
		if strings.Contains(text, credential) || strings.Contains(text, "token=") || strings.Contains(text, "code=") {
			s.t.Errorf("the credential is in %s", text)
		}
	}
	if query := s.passed.URL.Query(); query.Get("path") != "pages/index" || query.Get("scene") != "1001" || query.Get("appid") != first.ID {
		s.t.Errorf("the upstream gets %v", query)
	}
	if r.header.Get("Cache-Control") != "no-store" {
		s.t.Errorf("the response may be cached: %v", r.header)
	}
}

func TestPrefetchWithToken(t *testing.T) {
	t.Parallel()
	s := newPrefetchSite(t, nil)
	token, bearer := s.prefetchToken()
	session := s.do(http.MethodGet, "/v1.0/pub/session", "", bearer...).get("session")
	for range 2 { // the token is not spent
		s.wantPassed(s.prefetch("token", token), token, session)
	}
	asked := s.sim.Count()
	s.prefetch("token", token)
	if s.sim.Count() != asked {
		t.Error("WeChat was called for a token")
	}
}

// TestPrefetchTokenEndsWithItsSession: a prefetch token is refused after its session has ended,
// for any reason.
func TestPrefetchTokenEndsWithItsSession(t *testing.T) {
	t.Parallel()
	alice := auth.User{App: auth.AppID(first.ID), OpenID: auth.OpenID(wechatsim.OpenIDFor(first.ID, "alice"))}
	for name, end := range map[string]func(*site, []string) error{
		"logged out": func(s *site, bearer []string) error {
			s.do(http.MethodPost, "/v1.0/pub/logout", "{}", bearer...).want(http.StatusNoContent, "")
			return nil
		},
		"ended by an operator": func(s *site, _ []string) error {
			_, err := s.runtime.Service.EndUser(t.Context(), alice, auth.CauseOperator)
			return err
		},
		"erased": func(s *site, _ []string) error {
			_, err := s.runtime.Service.Erase(t.Context(), alice)
			return err
		},
		"revoked, and still in the store": func(s *site, bearer []string) error {
			id, err := s.runtime.Service.Authenticate(strings.TrimPrefix(bearer[1], "Bearer "))
			if err != nil {
				return err
			}
			return s.runtime.Store.RevokeSession(t.Context(), id.Session, id.Expires)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newPrefetchSite(t, nil)
			token, bearer := s.prefetchToken()
			s.prefetch("token", token).want(http.StatusOK, "")
			if err := end(s, bearer); err != nil {
				t.Fatal(err)
			}
			s.prefetch("token", token).want(http.StatusUnauthorized, "session_revoked")
			if s.passed != nil {
				t.Error("the prefetch reached the next handler")
			}
		})
	}
}

// TestPrefetchEndsMeanwhile: the session ends while the upstream works.
func TestPrefetchEndsMeanwhile(t *testing.T) {
	t.Parallel()
	s := newPrefetchSite(t, nil)
	token, bearer := s.prefetchToken()
	s.next = func(w http.ResponseWriter, _ *http.Request) error {
		logout := httptest.NewRequest(http.MethodPost, "/v1.0/pub/logout", strings.NewReader("{}"))
		logout.Header.Set(bearer[0], bearer[1])
		if err := s.gateway.ServeHTTP(httptest.NewRecorder(), logout, s.behind()); err != nil {
			t.Error(err)
		}
		_, err := io.WriteString(w, "alice's data")
		return err
	}
	r := s.prefetch("token", token)
	r.want(http.StatusUnauthorized, "session_revoked")
	if strings.Contains(r.body, "alice") {
		t.Errorf("the data was sent: %s", r.body)
	}
}

// TestTokensOfOtherKinds: each credential is valid for its own purpose only.
func TestTokensOfOtherKinds(t *testing.T) {
	t.Parallel()
	s := newPrefetchSite(t, nil)
	login := s.login(first)
	token, _ := s.prefetchToken()
	other := s.do(http.MethodPost, "/v1.0/pub/prefetch-token", "", "Authorization", "Bearer "+s.login(second).get("access_token")).get("prefetch_token")
	for name, wrong := range map[string]string{
		"an access token": login.get("access_token")[:256], "a whole access token": login.get("access_token"),
		"a refresh token": login.get("refresh_token"), "a handle": login.get("session_key"), "a handle with the prefix": "wxp_" + login.get("session_key"),
		"of another app": other, "changed": token[:10] + "A" + token[11:], "cut": token[:len(token)-1], "session": s.do(http.MethodGet, "/v1.0/pub/session", "", "Authorization", "Bearer "+login.get("access_token")).get("session"),
	} {
		r := s.prefetch("token", wrong)
		if r.status != http.StatusUnauthorized && r.status != http.StatusBadRequest || s.passed != nil {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	s.prefetch("appid", second.ID, "token", other).want(http.StatusOK, "")
	s.do(http.MethodGet, "/orders", "", "Authorization", "Bearer "+token).want(http.StatusUnauthorized, "invalid_token")
	s.do(http.MethodPost, "/v1.0/pub/prefetch-token", "", "Authorization", "Bearer "+token).want(http.StatusUnauthorized, "invalid_token")
	s.do(http.MethodPost, "/v1.0/pub/decode", fmt.Sprintf(`{"encrypted_data":"QQ==","iv":"QQ==","session_key":%q}`, token)).want(http.StatusUnauthorized, "session_stale")
	s.do(http.MethodPost, "/v1.0/pub/refresh", fmt.Sprintf(`{"refresh_token":%q}`, token)).want(http.StatusUnauthorized, "invalid_token")
}

// TestPrefetchWithCode: the code identifies the user and does not begin a session. Both the old
// and the new session key can decrypt data.
func TestPrefetchWithCode(t *testing.T) {
	t.Parallel()
	s := newPrefetchSite(t, nil)
	login := s.login(first)
	alice := wechatsim.User{App: first.ID, Name: "alice"}
	before, err := s.sim.EncryptPhone(alice, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	old, err := s.sim.SessionKey(alice)
	if err != nil {
		t.Fatal(err)
	}
	code := s.code(first)
	s.wantPassed(s.prefetch("code", code), code, "")
	if key, err := s.sim.SessionKey(alice); err != nil || key == old {
		t.Fatalf("the prefetch did not replace the session_key: %v", err)
	}
	after, err := s.sim.EncryptPhone(alice, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]wechatsim.Encrypted{"before": before, "after": after} {
		body := fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, data.EncryptedData, data.IV, login.get("session_key"))
		r := s.do(http.MethodPost, "/v1.0/pub/decode", body)
		if r.want(http.StatusOK, ""); r.get("purePhoneNumber") == "" {
			t.Errorf("encrypted %s the prefetch: %s", name, r.body)
		}
	}
	user := auth.User{App: auth.AppID(first.ID), OpenID: auth.OpenID(login.get("openId"))}
	if record, err := s.runtime.Service.User(t.Context(), user); err != nil || len(record.Sessions) != 1 || len(record.KeysAt) != 2 {
		t.Errorf("%+v, %v, want one session and two keys", record, err)
	}
	s.prefetch("code", code).want(http.StatusUnauthorized, "code_used")
	s.prefetch("code", "invalid").want(http.StatusUnauthorized, "invalid_code")
	s.prefetch("code", code, "appid", second.ID).want(http.StatusUnauthorized, "")
}

// TestPrefetchWithCodeStoresNothing: no data of a user without a session is stored.
func TestPrefetchWithCodeStoresNothing(t *testing.T) {
	t.Parallel()
	s := newPrefetchSite(t, nil)
	code := s.code(first)
	s.wantPassed(s.prefetch("code", code), code, "")
	user := auth.User{App: auth.AppID(first.ID), OpenID: auth.OpenID(wechatsim.OpenIDFor(first.ID, "alice"))}
	if record, err := s.runtime.Service.User(t.Context(), user); err != nil || !record.IsEmpty() {
		t.Errorf("%+v, %v", record, err)
	}
}

// TestPrefetchRequirements: the requirements of a path also apply to prefetches.
func TestPrefetchRequirements(t *testing.T) {
	t.Parallel()
	s := newPrefetchSite(t, func(_ *site, c *Config) {
		c.Guard.Require = []Requirement{{What: AttributePhone, Paths: pathSet(t, "/boot").Lenient()}}
	})
	token, _ := s.prefetchToken()
	s.prefetch("token", token).want(http.StatusForbidden, "phone_required")
	s.prefetch("code", s.code(first)).want(http.StatusForbidden, "phone_required")
}

// TestPrefetchAddresses: once WeChat's addresses are known, codes from other addresses are
// refused before WeChat is called. Tokens are accepted from any address.
func TestPrefetchAddresses(t *testing.T) {
	t.Parallel()
	s := newPrefetchSite(t, nil)
	s.sim.SetCallbackAddresses("203.0.113.1", "198.51.100.0/24")
	client := "192.0.2.1"
	s.gateway.Server.ClientIP = func(*http.Request) string { return client }
	s.prefetch("code", s.code(first)).want(http.StatusOK, "") // not known yet
	known := func() bool {
		known, _ := s.runtime.Platforms[auth.AppID(first.ID)].IsCallbackAddress(t.Context(), netip.MustParseAddr("192.0.2.1"))
		return known
	}
	for deadline := time.Now().Add(10 * time.Second); !known(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("WeChat's addresses are not known")
		}
	}
	code := s.code(first)
	asked := s.sim.Count("/sns/jscode2session")
	for _, client = range []string{"192.0.2.1", "", "@", "fe80::1%eth0"} {
		s.prefetch("code", code).want(http.StatusForbidden, "forbidden")
	}
	token, _ := s.prefetchToken()
	s.prefetch("token", token).want(http.StatusOK, "")
	if n := s.sim.Count("/sns/jscode2session"); n != asked+1 { // the login
		t.Errorf("WeChat was called %d times for codes from other addresses", n-asked-1)
	}
	client = "198.51.100.7"
	s.prefetch("code", code).want(http.StatusOK, "")
	client = "::ffff:203.0.113.1"
	s.prefetch("code", s.code(first)).want(http.StatusOK, "")
}

// TestPrefetchLimits: the limit on logins of an address does not apply, the limit on concurrent
// calls does.
func TestPrefetchLimits(t *testing.T) {
	t.Parallel()
	s := newPrefetchSite(t, func(_ *site, c *Config) {
		c.Limits = limit.New(limit.Config{Login: limit.Rate{N: 1, Per: time.Hour}, Phone: limit.Rate{N: 1, Per: time.Hour}, Decode: limit.Rate{N: 1, Per: time.Hour}, Inflight: 1})
	})
	for range 3 {
		s.prefetch("code", s.code(first)).want(http.StatusOK, "")
	}
	leave, err := s.gateway.config.Limits.Enter()
	if err != nil {
		t.Fatal(err)
	}
	code := s.code(first)
	s.prefetch("code", code).want(http.StatusTooManyRequests, "rate_limited")
	leave()
	s.prefetch("code", code).want(http.StatusOK, "") // the code was not spent
}

// TestRefusedPrefetches: a request that WeChat does not send never reaches the next handler.
func TestRefusedPrefetches(t *testing.T) {
	t.Parallel()
	s := newPrefetchSite(t, nil)
	token, bearer := s.prefetchToken()
	valid := boot("token", token)
	for name, test := range map[string]struct {
		method, target, body string
		headers              []string
		status               int
		code                 string
	}{
		"HEAD":                 {"HEAD", valid, "", nil, 405, ""},
		"POST":                 {"POST", valid, "", nil, 405, "invalid_request"},
		"an access token, too": {"GET", valid, "", bearer, 400, "invalid_request"},
		"a body":               {"GET", valid, "x", nil, 400, "invalid_request"},
		"an upgrade":           {"GET", valid, "", []string{"Upgrade", "websocket", "Connection", "upgrade"}, 400, "invalid_request"},
		"early data":           {"GET", valid, "", []string{"Early-Data", "1"}, 425, "invalid_request"},
		"two tokens":           {"GET", valid + "&token=" + token, "", nil, 400, "invalid_request"},
		"token and code":       {"GET", valid + "&code=c", "", nil, 400, "invalid_request"},
		"another spelling":     {"GET", valid + "&Token=x", "", nil, 400, "invalid_request"},
		"no appid":             {"GET", "/boot?timestamp=1&token=" + token, "", nil, 400, "invalid_request"},
		"neither":              {"GET", boot(), "", nil, 400, "invalid_request"},
		"an unknown app":       {"GET", boot("token", token, "appid", "wx9"), "", nil, 400, "unknown_app"},
		"an escaped path":      {"GET", strings.Replace(valid, "/boot", "/%62oot", 1), "", nil, 400, "invalid_request"},
		"another case":         {"GET", strings.Replace(valid, "/boot", "/Boot", 1), "", nil, 401, "missing_token"},
		"a slash":              {"GET", strings.Replace(valid, "/boot", "/boot/", 1), "", nil, 401, "missing_token"},
		"another segment":      {"GET", strings.Replace(valid, "/boot", "/boot/pay", 1), "", nil, 401, "missing_token"},
		"dot segments":         {"GET", strings.Replace(valid, "/boot", "/x/../boot", 1), "", nil, 400, "invalid_request"},
		"two slashes":          {"GET", strings.Replace(valid, "/boot", "//boot", 1), "", nil, 400, "invalid_request"},
		"a path parameter":     {"GET", strings.Replace(valid, "/boot", "/boot;a=b", 1), "", nil, 400, "invalid_request"},
		"the token elsewhere":  {"GET", strings.Replace(valid, "/boot", "/orders", 1), "", nil, 401, "missing_token"},
	} {
		r := s.do(test.method, test.target, test.body, test.headers...)
		if r.status != test.status || test.code != "" && r.get("code") != test.code || s.passed != nil {
			t.Errorf("%s: %d %s, passed %v", name, r.status, r.body, s.passed != nil)
		}
		if strings.Contains(r.body, token) || test.status == 405 && r.header.Get("Allow") != "GET" {
			t.Errorf("%s: %v %s", name, r.header, r.body)
		}
	}
}

// TestOrdinaryRequestsOfThePath: the mini program's own requests of the same path are served
// normally.
func TestOrdinaryRequestsOfThePath(t *testing.T) {
	t.Parallel()
	s := newPrefetchSite(t, nil)
	bearer := s.bearer()
	s.do(http.MethodGet, "/boot?path=pages%2Findex&scene=1001", "", bearer...).want(http.StatusOK, "")
	if s.passed.Header.Get("X-Wx-Openid") == "" {
		t.Error("no identity")
	}
	s.do(http.MethodPost, "/boot", "{}", bearer...).want(http.StatusOK, "")
	s.do(http.MethodGet, "/boot", "").want(http.StatusUnauthorized, "missing_token")
}

// TestPrefetchForgesNothing: headers with a user, a path or a method have no effect.
func TestPrefetchForgesNothing(t *testing.T) {
	t.Parallel()
	s := newPrefetchSite(t, nil)
	token, bearer := s.prefetchToken()
	session := s.do(http.MethodGet, "/v1.0/pub/session", "", bearer...).get("session")
	r := s.do(http.MethodGet, boot("token", token), "",
		"X-WX-OPENID", "victim", "X_WX_UNIONID", "victim", "X-Wx-Phone", "victim", "X-Original-URL", "/pay", "X-Rewrite-Url", "/pay",
		"X-HTTP-Method-Override", "DELETE", "X_Http_Method", "DELETE", "X-Method-Override", "PUT", "Connection", "x-wx-openid",
		"Referer", "https://example.com/boot?token="+token)
	s.wantPassed(r, token, session)
	for name, values := range s.passed.Header {
		if text := strings.Join(values, ","); strings.Contains(text, "victim") || strings.Contains(text, "/pay") || strings.Contains(text, "DELETE") || text == "PUT" {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// TestLargePrefetch: a response that WeChat would not store is refused.
func TestLargePrefetch(t *testing.T) {
	t.Parallel()
	s := newPrefetchSite(t, nil)
	token, _ := s.prefetchToken()
	size := 256 << 10
	s.next = func(w http.ResponseWriter, _ *http.Request) error {
		_, err := io.WriteString(w, strings.Repeat("x", size))
		return err
	}
	if r := s.prefetch("token", token); r.status != http.StatusOK || len(r.body) != size {
		t.Errorf("%d, %d bytes", r.status, len(r.body))
	}
	size++
	s.prefetch("token", token).want(http.StatusBadGateway, "response_too_large")
}

// TestConcurrentPrefetches: the number of responses in memory is limited.
func TestConcurrentPrefetches(t *testing.T) {
	t.Parallel()
	s := newPrefetchSite(t, nil)
	token, _ := s.prefetchToken()
	for range prefetch.MaxConcurrent {
		if _, err := s.gateway.enterPrefetch(); err != nil {
			t.Fatal(err)
		}
	}
	r := s.prefetch("token", token)
	if r.want(http.StatusTooManyRequests, "rate_limited"); r.header.Get("Retry-After") != "1" || s.passed != nil {
		t.Errorf("%v, passed %v", r.header, s.passed != nil)
	}
	<-s.gateway.prefetches
	for range 2 {
		s.prefetch("token", token).want(http.StatusOK, "")
	}
}

// TestPrefetchPath: a path of the login API is refused.
func TestPrefetchPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/boot": true, "/v1.0": true, "/v1.0/pub": false, "/v1.0/pub/openId": false, "/v1.0/PUB/x": false, KeySetPath: false, "/": true,
	} {
		s := newSite(t, nil)
		config := s.gateway.config
		config.Prefetch, _ = prefetch.NewPath(path)
		if _, err := New(config); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	fromQuery := newSite(t, nil).gateway.config
	fromQuery.Prefetch = "/boot"
	for name, want := range map[string]bool{"token": false, "code": false, "query": false, "ticket": true} {
		var err error
		if fromQuery.Guard.Edge.Credentials, err = edge.NewCredentials(edge.Source{Kind: edge.SourceQuery, Name: name}, false, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := New(fromQuery); (err == nil) != want {
			t.Errorf("token_from query %s: %v", name, err)
		}
	}
	for _, path := range []string{"", "boot", "/boot/*", "/a/../b", "/%62oot", "/boot?x", "//boot"} {
		if _, err := prefetch.NewPath(path); err == nil {
			t.Errorf("%q is a path", path)
		}
	}
}

// TestPrefetchOfOtherKinds: a code of a web page is refused, although the site admits users of
// the app.
func TestPrefetchOfOtherKinds(t *testing.T) {
	t.Parallel()
	s := newPrefetchSite(t, nil)
	client, err := wechat.New(wechat.Config{Kind: wechat.Official, AppID: auth.AppID(second.ID), Secret: second.Secret, API: s.api})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s.prefetch("appid", second.ID, "code", "made-up").want(http.StatusUnauthorized, "invalid_code")
	s.runtime.Platforms[auth.AppID(second.ID)] = client
	s.prefetch("appid", second.ID, "code", "made-up").want(http.StatusBadRequest, "unknown_app")
}
