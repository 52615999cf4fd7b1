package gateway

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/cors"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// TestCookieOnPaths tests a session cookie on each kind of path, with a session and after its
// end.
func TestCookieOnPaths(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	v := s.visitor(wechatAgent)
	v.enterOfficial("alice")
	over := v.clone()
	alice := openIDOf(officialApp, "alice")
	check := func(what string, v *visitor, path string, status int, code, openid string) {
		t.Helper()
		r := v.send(http.MethodGet, path, "")
		r.want(status, code)
		if status != http.StatusOK {
			if s.passed != nil {
				t.Errorf("%s, %s: it reached the upstream", what, path)
			}
			return
		}
		if got := s.passed.Header.Get("X-Wx-Openid"); got != openid || s.passed.Header["Cookie"] != nil {
			t.Errorf("%s, %s: the upstream gets %v, want openid %q", what, path, s.passed.Header, openid)
		}
	}
	check("a session", v, "/orders", 200, "", alice)
	check("a session", v, "/optional/a", 200, "", alice)
	check("a session", v, "/public/a", 200, "", "")
	check("a session", v, "/phone/a", 403, "phone_required", "")
	v.post(pub+"/web/logout", "").want(http.StatusNoContent, "")
	for name, value := range map[string]string{"after its end": over.jar[cookie], "junk": "junk", "an old spelling": "wxc_AAAA"} {
		old := s.visitor(wechatAgent)
		old.jar[cookie] = value
		code := "invalid_token"
		if name == "after its end" {
			code = "session_revoked"
		}
		check(name, old, "/orders", 401, code, "")
		check(name, old, "/optional/a", 200, "", "")
		check(name, old, "/public/a", 200, "", "")
		check(name, old, "/phone/a", 401, code, "")
		r := old.post(pub+"/web/logout", "")
		r.want(http.StatusNoContent, "")
		if old.jar[cookie] != "" {
			t.Errorf("%s: the browser keeps the cookie", name)
		}
	}
	// Cookies with similar names, which another site can set, are not the session.
	planted := s.visitor(wechatAgent)
	planted.jar["\u2000"+cookie], planted.jar["wxgate"] = over.jar[cookie], over.jar[cookie]
	planted.wantUser("cookies of other names", "")
}

// TestTwoCredentials: a request with two credentials is refused.
func TestTwoCredentials(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	v := s.visitor(wechatAgent)
	v.enterOfficial("alice")
	bearer := s.bearer()
	for _, path := range []string{"/orders", "/optional/a", pub + "/session"} {
		v.send(http.MethodGet, path, "", bearer...).want(http.StatusBadRequest, "invalid_request")
		v.send(http.MethodGet, path, "", "Authorization", "Bearer a.b.c").want(http.StatusBadRequest, "invalid_request")
		v.send(http.MethodGet, path, "", "Cookie", cookie+"="+v.jar[cookie]).want(http.StatusBadRequest, "invalid_request")
		v.send(http.MethodGet, path, "", "Cookie", cookie+"=wxc_other").want(http.StatusBadRequest, "invalid_request")
		s.do(http.MethodGet, path, "", append([]string{"Cookie", cookie + "=junk"}, bearer...)...).want(http.StatusBadRequest, "invalid_request")
	}
	for _, call := range []string{"/logout", "/decode"} {
		v.post(pub+call, `{"code":"a"}`, bearer...).want(http.StatusBadRequest, "invalid_request")
	}
	v.wantUser("afterwards", openIDOf(officialApp, "alice"))
	s.do(http.MethodGet, "/orders", "", bearer...).want(http.StatusOK, "")
}

// TestCookieIsNotAToken: calls that return or accept a token refuse a browser session.
func TestCookieIsNotAToken(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	phone := s.onPhone(first, "alice")
	v := s.visitor(wechatAgent)
	v.wantSession("a web-view", v.visit(s.ticket(phone)), shop+"/")
	code, err := s.sim.MintPhoneCode(wechatsim.User{App: first.ID, Name: "alice"}, wechatsim.PhoneNumber{})
	if err != nil {
		t.Fatal(err)
	}
	v.post(pub+"/decode", `{"code":"`+code.Code+`"}`).want(http.StatusUnauthorized, "missing_token")
	value := v.jar[cookie]
	for _, body := range []string{value, "wxr_" + strings.TrimPrefix(value, "wxc_")} {
		s.do(http.MethodPost, pub+"/refresh", `{"refresh_token":"`+body+`"}`).want(http.StatusUnauthorized, "invalid_token")
		s.do(http.MethodPost, pub+"/revoke", `{"token":"`+body+`"}`).want(http.StatusOK, "")
		s.do(http.MethodGet, "/orders", "", "Authorization", "Bearer "+body).want(http.StatusUnauthorized, "invalid_token")
	}
	other := s.visitor(wechatAgent)
	other.jar[cookie] = strings.TrimPrefix(phone[1], "Bearer ")
	other.wantUser("an access token as a cookie", "")
	v.wantUser("afterwards", openIDOf(first, "alice"))
}

// TestNavigation: a user who opens a page without a session is redirected to the login. Any
// other request is refused.
func TestNavigation(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	v := s.visitor(chromeAgent)
	for target, back := range map[string]string{"/orders?a=1&b=%2F": "/orders?a=1&b=%2F", "/orders": "/orders", "/phone/a?return=//evil.example": "/phone/a?return=//evil.example"} {
		r := v.visit(target)
		to, err := url.Parse(r.header.Get("Location"))
		if err != nil || r.status != http.StatusSeeOther || to.Host != "" || to.Path != pub+"/web/login" || to.Query().Get("return") != back || s.passed != nil || s.shown["code"] != "missing_token" {
			t.Errorf("%s: status %d to %v, code %q", target, r.status, to, s.shown["code"])
		}
		wantPrivate(t, target, r)
	}
	junk := v.clone()
	junk.jar[cookie] = "junk"
	if r := junk.visit("/orders"); r.status != http.StatusSeeOther || s.shown["code"] != "invalid_token" {
		t.Errorf("with a cookie that is not valid: status %d, code %q", r.status, s.shown["code"])
	}
	navigate := []string{"Sec-Fetch-Mode", "navigate"}
	for name, r := range map[string]response{
		"a script":           v.send(http.MethodGet, "/orders", "", "Sec-Fetch-Mode", "cors"),
		"no browser":         v.send(http.MethodGet, "/orders", ""),
		"HEAD":               v.send(http.MethodHead, "/orders", "", navigate...),
		"a form":             v.send(http.MethodPost, "/orders", "", append([]string{"Origin", shop}, navigate...)...),
		"with a wrong token": v.send(http.MethodGet, "/orders", "", append([]string{"Authorization", "Bearer a.b.c"}, navigate...)...),
	} {
		if r.status != http.StatusUnauthorized || r.header.Get("Location") != "" {
			t.Errorf("%s: status %d to %q", name, r.status, r.header.Get("Location"))
		}
	}
	for _, path := range []string{"/public/a", "/optional/a"} {
		v.visit(path).want(http.StatusOK, "")
	}
	v.visit("/orders/../orders").want(http.StatusBadRequest, "") // the rules of paths still apply
	v.enterOfficial("alice")
	v.visit("/phone/a").want(http.StatusForbidden, "phone_required") // a login would not help
	if r := newSite(t, nil).do(http.MethodGet, "/orders", "", navigate...); r.status != http.StatusUnauthorized {
		t.Errorf("a site without browsers: status %d", r.status)
	}
}

// TestCSRF: no page of another site can act for a user, even if CORS allows its origin.
func TestCSRF(t *testing.T) {
	t.Parallel()
	const h5 = "https://h5.example.com"
	s := newWebSite(t, func(_ *site, c *Config) {
		c.CORS = &cors.Policy{Origins: []string{h5}, Headers: []string{"Authorization"}, Methods: []string{"GET", "POST", "PUT", "DELETE"}, MaxAge: time.Minute}
	})
	v := s.visitor(chromeAgent)
	v.enterOfficial("alice")
	alice := openIDOf(officialApp, "alice")
	upgrade := []string{"Upgrade", "websocket", "Connection", "Upgrade"}
	for name, test := range map[string]struct {
		method  string
		headers []string
		passes  bool
	}{
		"a form of another site":        {"POST", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Content-Type", "text/plain"}, false},
		"a form without Origin":         {"POST", nil, false},
		"a sibling host":                {"POST", []string{"Origin", "https://blog.example.com", "Sec-Fetch-Site", "same-site"}, false},
		"an origin of CORS":             {"POST", []string{"Origin", h5}, false},
		"an origin of CORS, PUT":        {"PUT", []string{"Origin", h5}, false},
		"null":                          {"DELETE", []string{"Origin", "null"}, false},
		"the Host of another site":      {"POST", []string{"Origin", "https://evil.example", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https"}, false},
		"an overridden method":          {"POST", []string{"X-Http-Method-Override", "GET", "Origin", "https://evil.example"}, false},
		"a WebSocket of another site":   {"GET", append([]string{"Origin", "https://evil.example"}, upgrade...), false},
		"a WebSocket of CORS":           {"GET", append([]string{"Origin", h5}, upgrade...), false},
		"a WebSocket without Origin":    {"GET", upgrade, false},
		"the site":                      {"POST", []string{"Origin", shop}, true},
		"the site, without Origin":      {"POST", []string{"Sec-Fetch-Site", "same-origin"}, true},
		"the site's WebSocket":          {"GET", append([]string{"Origin", shop}, upgrade...), true},
		"a link of another site":        {"GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, true},
		"a script of an origin of CORS": {"GET", []string{"Origin", h5, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, true},
	} {
		for _, path := range []string{"/orders", "/optional/a"} {
			r := v.send(test.method, path, "a=1", test.headers...)
			if !test.passes {
				if r.want(http.StatusForbidden, "cross_site"); s.passed != nil {
					t.Errorf("%s: it reached the upstream", name)
				}
				continue
			}
			if r.status != http.StatusOK || s.passed.Header.Get("X-Wx-Openid") != alice || r.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: status %d, headers %v", name, r.status, r.header)
			}
		}
	}
	for origin, want := range map[string]int{shop: http.StatusOK, "https://evil.example": http.StatusForbidden, h5: http.StatusForbidden, "": http.StatusForbidden} {
		r := httptest.NewRequest(http.MethodConnect, "/orders", nil) // a WebSocket over HTTP/2
		r.ProtoMajor = 2
		r.Header = http.Header{":protocol": {"websocket"}, "Cookie": {cookie + "=" + v.jar[cookie]}}
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if got := s.serve(r); got.status != want {
			t.Errorf("a WebSocket over HTTP/2 of %q: status %d, want %d: %s", origin, got.status, want, got.body)
		}
	}
	// The check does not apply to tokens: browsers don't attach them by themselves.
	bearer := s.bearer()
	s.do(http.MethodPost, "/orders", "", append([]string{"Origin", h5}, bearer...)...).want(http.StatusOK, "")
	s.do(http.MethodPost, "/orders", "", bearer...).want(http.StatusOK, "")
	// A request without credentials is not refused for its origin either.
	s.do(http.MethodPost, "/optional/a", "", "Origin", "https://evil.example").want(http.StatusOK, "")
	for _, call := range []string{"/logout", "/web/logout"} {
		v.send(http.MethodPost, pub+call, "{}", "Origin", h5).want(http.StatusForbidden, "cross_site")
	}
	v.wantUser("afterwards", alice)
	r := v.send(http.MethodOptions, pub+"/web/scan", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
	if r.header.Get("Access-Control-Allow-Origin") != "" || r.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("a preflight: %v", r.header)
	}
}

// TestLogoutOfTheAPI: the logout of the login API also deletes the cookie of a browser.
func TestLogoutOfTheAPI(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	v, other := s.visitor(chromeAgent), s.visitor(chromeAgent)
	v.enterOfficial("alice")
	other.enterOfficial("alice")
	r := v.post(pub+"/logout", `{"all": true}`)
	r.want(http.StatusNoContent, "")
	if r.header.Get("Clear-Site-Data") != `"cache"` || v.jar[cookie] != "" {
		t.Errorf("headers %v, cookie %q", r.header, v.jar[cookie])
	}
	other.wantUser("the other browser", "")
}

// TestLogoutWithoutStore: if the store is down, the user gets an error and keeps the cookie.
func TestLogoutWithoutStore(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	v := s.visitor(chromeAgent)
	v.enterOfficial("alice")
	whole := s.runtime.Service
	s.breakStore()
	v.post(pub+"/web/logout", "").want(http.StatusServiceUnavailable, "store_unavailable")
	if v.jar[cookie] == "" {
		t.Error("the browser lost the cookie")
	}
	s.runtime.Service = whole
	s.runtime.Stale = func() time.Duration { return time.Hour } // revocations of other machines may not have arrived
	v.post(pub+"/web/logout", "").want(http.StatusServiceUnavailable, "store_unavailable")
	v.send(http.MethodGet, "/orders", "").want(http.StatusServiceUnavailable, "store_unavailable")
	s.runtime.Stale = nil
	v.post(pub+"/web/logout", "").want(http.StatusNoContent, "")
	v.wantUser("after the logout", "")
}

// TestNothingIsLogged: no code, state, ticket, cookie or name of a scan appears in the log, in
// an audit record, in the access log, or in an error page.
func TestNothingIsLogged(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	lines, events := s.observe(), s.audited()
	v, pc := s.visitor(wechatAgent), s.visitor(chromeAgent)
	phone := s.onPhone(first, "alice")
	var secrets, shown []string
	see := func(r response) {
		text, err := json.Marshal(s.shown)
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, string(text))
		if r.status >= http.StatusBadRequest {
			shown = append(shown, r.body)
		}
	}
	code, state := s.webCode(officialApp, "alice"), v.begin(pub+"/web/login?door=official")
	secrets = append(secrets, code, state, v.jar[cookie+"-login-"+state[:8]])
	for _, target := range []string{returned(code, flip(state)), returned(code, state), returned(code, state)} {
		see(v.visit(target))
	}
	wrong, again := s.webCode(websiteApp, "alice"), v.begin(pub+"/web/login?door=official")
	see(v.visit(returned(wrong, again)))
	secrets = append(secrets, wrong, again, v.jar[cookie])
	path := s.ticket(phone)
	_, ticket, _ := strings.Cut(path, "=")
	other := s.visitor(wechatAgent)
	see(other.send(http.MethodGet, path, "", "Sec-Fetch-Dest", "iframe"))
	see(other.visit(path))
	see(other.visit(path))
	secrets = append(secrets, ticket, other.jar[cookie])
	c := pc.newScan()
	see(pc.post(c.path("/finish"), "{}"))
	see(s.asked(c, phone))
	see(s.confirm(c, c.wrongNumber(), phone))
	secrets = append(secrets, pc.jar[cookie+"-scan"], `"`+c.number+`"`)
	see(v.send(http.MethodPost, "/orders", "")) // a CSRF refusal
	see(v.send(http.MethodGet, "/orders", "", "Cookie", cookie+"="+v.jar[cookie]))
	if lines.Len() == 0 || len(*events) == 0 {
		t.Fatalf("%d lines, %d records", lines.Len(), len(*events))
	}
	for _, line := range lines.All() {
		text, err := json.Marshal(line.ContextMap())
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, line.Message+string(text))
	}
	text, err := json.Marshal(*events)
	if err != nil {
		t.Fatal(err)
	}
	shown = append(shown, string(text))
	for i, secret := range secrets {
		if len(secret) < 4 {
			t.Fatalf("secret %d is %q", i, secret)
		}
		for _, text := range shown {
			if strings.Contains(text, secret) {
				t.Errorf("secret %d is in %.300s", i, text)
			}
		}
	}
}

// TestVerifyCookies: a proxy that asks about a browser's request must send its method, since a
// page of another site could have sent a POST.
func TestVerifyCookies(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	v := s.visitor(chromeAgent)
	v.enterOfficial("alice")
	s.gateway.Edge.Asks = true
	s.gateway.Edge.Prefix = ""
	const proxy, client = "10.0.0.1:1", "192.0.2.9:1"
	get, post := []string{"X-Forwarded-Method", "GET"}, []string{"X-Forwarded-Method", "POST"}
	with := func(lists ...[]string) (all []string) {
		for _, list := range lists {
			all = append(all, list...)
		}
		return all
	}
	ours, evil := []string{"Origin", shop}, []string{"Origin", "https://evil.example"}
	for _, test := range []struct {
		name, peer, path string
		from             PathFrom
		headers          []string
		status           int
		code             string
		openid           bool
	}{
		{"GET", proxy, "/orders", PathFromForwarded, get, 200, "", true},
		{"nginx's header", proxy, "/orders", PathFromForwarded, []string{"X-Original-Method", "GET"}, 200, "", true},
		{"POST of the site", proxy, "/orders", PathFromForwarded, with(post, ours), 200, "", true},
		{"POST of another site", proxy, "/orders", PathFromForwarded, with(post, evil), 403, "cross_site", false},
		{"POST without Origin", proxy, "/orders", PathFromForwarded, post, 403, "cross_site", false},
		{"a WebSocket of another site", proxy, "/orders", PathFromForwarded, with(get, evil, []string{"Upgrade", "websocket"}), 403, "cross_site", false},
		{"a WebSocket of another site, without Upgrade", proxy, "/orders", PathFromForwarded, with(get, evil, []string{"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="}), 403, "cross_site", false},
		{"a WebSocket of the site, without Upgrade", proxy, "/orders", PathFromForwarded, with(get, ours, []string{"Sec-WebSocket-Version", "13"}), 200, "", true},
		{"a WebSocket of the site", proxy, "/orders", PathFromForwarded, with(get, ours, []string{"Upgrade", "websocket"}), 200, "", true},
		{"no method", proxy, "/orders", PathFromForwarded, nil, 403, "forbidden", false},
		{"no method, of the site", proxy, "/orders", PathFromForwarded, ours, 403, "forbidden", false},
		{"no method, optional", proxy, "/optional/a", PathFromForwarded, nil, 403, "forbidden", false},
		{"no method, public", proxy, "/public/a", PathFromForwarded, nil, 200, "", false},
		{"a client's header", client, "/orders", PathFromRequest, get, 403, "forbidden", false},
		{"two methods", proxy, "/orders", PathFromForwarded, with(get, post), 403, "invalid_request", false},
		{"two headers", proxy, "/orders", PathFromForwarded, with(get, []string{"X-Original-Method", "POST"}), 403, "invalid_request", false},
		{"two headers that agree", proxy, "/orders", PathFromForwarded, with(get, []string{"X-Original-Method", "GET"}), 200, "", true},
		{"in lower case", proxy, "/orders", PathFromForwarded, []string{"X-Forwarded-Method", "get"}, 403, "cross_site", false},
		{"TRACE", proxy, "/orders", PathFromForwarded, []string{"X-Forwarded-Method", "TRACE"}, 403, "", false},
		{"Envoy repeats the method", proxy, "/orders", PathFromRequest, nil, 200, "", true},
		{"Envoy, not a trusted proxy", client, "/orders", PathFromRequest, nil, 403, "forbidden", false},
		{"a visit is not redirected", proxy, "/phone/a", PathFromForwarded, with(get, []string{"Sec-Fetch-Mode", "navigate"}), 403, "phone_required", false},
	} {
		verifier := &Verifier{Guard: s.gateway.Guard, PathFrom: test.from}
		r := httptest.NewRequest(http.MethodGet, test.path, nil)
		r.RemoteAddr = test.peer
		if test.from == PathFromForwarded {
			r.Header.Set("X-Forwarded-Uri", test.path)
		}
		r.Header.Set("Cookie", "theirs=1; "+cookie+"="+v.jar[cookie])
		for i := 0; i < len(test.headers); i += 2 {
			r.Header.Add(test.headers[i], test.headers[i+1])
		}
		w := httptest.NewRecorder()
		if err := verifier.ServeHTTP(w, r); err != nil {
			t.Fatal(err)
		}
		openid := ""
		if test.openid {
			openid = openIDOf(officialApp, "alice")
		}
		got := response{t, w.Code, w.Header(), w.Body.String()}
		if w.Code != test.status || w.Header().Get("X-Wx-Openid") != openid || test.code != "" && got.get("code") != test.code {
			t.Errorf("%s: status %d, openid %q, want %d, %q: %s", test.name, w.Code, w.Header().Get("X-Wx-Openid"), test.status, openid, w.Body)
		}
	}
}

// TestPageAppsAreNotMiniPrograms: users of an official account cannot use the other calls, and a
// site without browsers does not admit them.
func TestPageAppsAreNotMiniPrograms(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	v := s.visitor(wechatAgent)
	v.enterOfficial("alice")
	plain := newSite(t, nil)
	plain.runtime.Release()
	plain.runtime = s.runtime
	s.runtime.Acquire()
	plain.do(http.MethodGet, "/orders", "", "Cookie", cookie+"="+v.jar[cookie]).want(http.StatusUnauthorized, "missing_token")
	for _, app := range []wechatsim.App{officialApp, websiteApp} {
		for _, field := range []string{"appid", "appId", "app_id"} {
			s.do(http.MethodPost, pub+"/openId", `{"code":"a","`+field+`":"`+app.ID+`"}`).want(http.StatusBadRequest, "unknown_app")
		}
		s.do(http.MethodPost, pub+"/openId", `{"code":"a"}`, "Referer", "https://servicewechat.com/"+app.ID+"/1/page-frame.html").want(http.StatusBadRequest, "unknown_app")
	}
	delete(s.gateway.Admitted, auth.AppID(officialApp.ID)) // the option official was removed
	v.send(http.MethodGet, "/orders", "").want(http.StatusForbidden, "app_not_admitted")
}
