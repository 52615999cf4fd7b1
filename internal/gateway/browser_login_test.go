package gateway

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

// TestWebLogin logs a user in through both doors of WeChat, calls the upstream, and logs out.
func TestWebLogin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		app          wechatsim.App
		agent, door  string
		asks         string
		openidOfPage string
	}{
		{officialApp, wechatAgent, "", "/connect/oauth2/authorize", "official"},
		{websiteApp, chromeAgent, "&door=website", "/connect/qrconnect", "website"},
	} {
		s := newWebSite(t, nil)
		if err := s.sim.AddUser(wechatsim.User{App: first.ID, Name: "alice"}, wechatsim.Details{UnionID: "union-alice"}); err != nil {
			t.Fatal(err)
		}
		events := s.audited()
		v := s.visitor(test.agent)
		v.jar["theirs"] = "1"
		r := v.visit(pub + "/web/login?return=%2Forders%3Fa%3D1" + test.door)
		if !strings.HasPrefix(r.header.Get("Location"), s.api+test.asks+"?") {
			t.Errorf("the browser is sent to %s", r.header.Get("Location"))
		}
		state := v.begin(pub + "/web/login?return=%2Forders%3Fa%3D1" + test.door)
		r = v.visit(returned(s.webCode(test.app, "alice"), state))
		v.wantSession("the return", r, shop+"/orders?a=1")
		if s.passed != nil || s.shown["uri"] != pub+"/web/callback" {
			t.Errorf("the access log has %q", s.shown["uri"])
		}
		for _, set := range r.header["Set-Cookie"] {
			if !strings.HasPrefix(set, "__Host-") || !strings.HasSuffix(set, "; HttpOnly; Secure; SameSite=Lax") || !strings.Contains(set, "; Path=/; Max-Age=") || strings.Contains(set, "Domain") {
				t.Errorf("the response sets %s", set)
			}
		}
		v.wantUser("after the login", openIDOf(test.app, "alice"))
		if h := s.passed.Header; h.Get("X-Wx-Source") != "web" || h.Get("X-Wx-Appid") != test.app.ID || h.Get("X-Wx-Unionid") != "union-alice" || h.Get("Authorization") != "" || strings.Join(h["Cookie"], "|") != "theirs=1" {
			t.Errorf("the upstream gets %v", h)
		}
		who := v.send(http.MethodGet, pub+"/session", "")
		who.want(http.StatusOK, "")
		if who.get("openId") != openIDOf(test.app, "alice") {
			t.Errorf("the session is %s", who.body)
		}
		out := v.post(pub+"/web/logout", "")
		out.want(http.StatusNoContent, "")
		if v.jar[cookie] != "" || out.header.Get("Clear-Site-Data") != `"cache"` || out.header.Get("Cache-Control") != "no-store" {
			t.Errorf("the browser keeps the cookie or pages: %v", out.header)
		}
		v.wantUser("after the logout", "")
		var acts []string
		for _, e := range *events {
			acts = append(acts, string(e.Action)+" "+e.Outcome)
		}
		if got := strings.Join(acts, ", "); got != "login ok, logout ok" {
			t.Errorf("recorded: %s", got)
		}
	}
}

// TestLoginCSRF: a victim's browser opens the URL with which WeChat returned the attacker, or
// another state. It is refused, and the code is not spent: WeChat is not called.
func TestLoginCSRF(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	attacker, victim := s.visitor(wechatAgent), s.visitor(wechatAgent)
	state := attacker.begin(pub + "/web/login?door=official")
	link := returned(s.webCode(officialApp, "mallory"), state)
	const invalid = "login_state_invalid"
	victim.wantPage("the attacker's return", victim.visit(link), http.StatusBadRequest, invalid)
	own := victim.begin(pub + "/web/login?door=official")
	victim.wantPage("with a login of the victim in progress", victim.visit(link), http.StatusBadRequest, invalid)
	victim.jar[cookie+"-login-"+state[:8]] = victim.jar[cookie+"-login-"+own[:8]]
	victim.wantPage("with the victim's cookie renamed", victim.visit(link), http.StatusBadRequest, invalid)
	code := s.webCode(officialApp, "mallory")
	for name, wrong := range map[string]string{"none": "", "a guess": strings.Repeat("0", 32), "in upper case": strings.ToUpper(own), "cut": own[:31], "longer": own + "0", "one character": flip(own)} {
		victim.wantPage("a state: "+name, victim.visit(returned(code, wrong)), http.StatusBadRequest, invalid)
	}
	victim.wantPage("no state", victim.visit(pub+"/web/callback?code="+code), http.StatusBadRequest, invalid)
	victim.wantPage("two states", victim.visit(returned(code, own)+"&state="+own), http.StatusBadRequest, "invalid_request")
	if n := s.sim.Count(exchangePath); n != 0 {
		t.Errorf("WeChat was called %d times", n)
	}
	victim.wantSession("the victim's own login continues", victim.visit(returned(s.webCode(officialApp, "alice"), own)), shop+"/")
	victim.wantUser("the victim", openIDOf(officialApp, "alice"))
}

// flip changes the last character of a state.
func flip(state string) string {
	last := "0"
	if strings.HasSuffix(state, last) {
		last = "1"
	}
	return state[:len(state)-1] + last
}

// TestReplay: a state and a code begin one session only, also if the browser kept the cookie,
// or sends simultaneous requests.
func TestReplay(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	v := s.visitor(wechatAgent)
	state := v.begin(pub + "/web/login?door=official")
	before := v.clone()
	link := returned(s.webCode(officialApp, "alice"), state)
	v.wantSession("the return", v.visit(link), shop+"/")
	v.wantPage("again", v.visit(link), http.StatusBadRequest, "login_state_invalid")
	before.wantPage("again, with the cookie", before.visit(link), http.StatusBadRequest, "login_state_invalid")
	before.wantPage("again, with a new code", before.visit(returned(s.webCode(officialApp, "alice"), state)), http.StatusBadRequest, "login_state_invalid")
	if n := s.sim.Count(exchangePath); n != 1 {
		t.Errorf("WeChat was called %d times", n)
	}
	v.wantUser("the first", openIDOf(officialApp, "alice"))
}

// TestConcurrentReturns sends the same return several times at once.
func TestConcurrentReturns(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	v := s.visitor(wechatAgent)
	state := v.begin(pub + "/web/login?door=official")
	link := returned(s.webCode(officialApp, "alice"), state)
	guard := s.gateway
	guard.Server = nullServer
	guard.Server.ServeAgain = func(w http.ResponseWriter, r *http.Request, edit func(string) string) error {
		again := r.Clone(r.Context())
		again.URL.RawQuery = edit(again.URL.RawQuery)
		return guard.ServeHTTP(w, again, nil)
	}
	statuses := make([]int, 8)
	var running sync.WaitGroup
	for i := range statuses {
		running.Go(func() { statuses[i] = serveOnce(guard, link, v.jar) })
	}
	running.Wait()
	count := map[int]int{}
	for _, status := range statuses {
		count[status]++
	}
	if count[http.StatusSeeOther] != 1 || count[http.StatusBadRequest] != len(statuses)-1 || s.sim.Count(exchangePath) != 1 {
		t.Errorf("statuses %v, WeChat was called %d times", statuses, s.sim.Count(exchangePath))
	}
}

// TestForeignCodes refuses codes of another app, of the mini program, and of no app, and a code
// of web pages at the mini program's login.
func TestForeignCodes(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	used := s.webCode(officialApp, "alice")
	first1 := s.visitor(wechatAgent)
	first1.wantSession("a code", first1.visit(returned(used, first1.begin(pub+"/web/login?door=official"))), shop+"/")
	for name, test := range map[string]struct{ code, want string }{
		"of the other app (mix-up)": {s.webCode(websiteApp, "mallory"), "invalid_code"},
		"of the mini program":       {s.code(first), "invalid_code"},
		"of no app":                 {"0" + strings.Repeat("A", 31), "invalid_code"},
		"used":                      {used, "code_used"},
		"of a snapshot":             {s.snapshotCode(), "snapshot_user"},
		"none: declined":            {"", "forbidden"},
	} {
		v := s.visitor(wechatAgent)
		state := v.begin(pub + "/web/login?door=official&return=%2Fa")
		r := v.visit(returned(test.code, state))
		status := http.StatusUnauthorized
		if test.want == "snapshot_user" || test.want == "forbidden" {
			status = http.StatusForbidden
		}
		v.wantPage("a code "+name, r, status, test.want)
		if strings.Contains(r.body, "wx.login") {
			t.Errorf("a code %s: the page is for developers", name)
		}
		v.wantUser("a code "+name, "")
	}
	for name, app := range map[string]wechatsim.App{"official": officialApp, "website": websiteApp} {
		r := s.do(http.MethodPost, pub+"/openId", `{"code":"`+s.webCode(app, "alice")+`","appid":"`+app.ID+`"}`)
		r.want(http.StatusBadRequest, "unknown_app")
		r = s.do(http.MethodPost, pub+"/openId", `{"code":"`+s.webCode(app, "alice")+`","appid":"`+first.ID+`"}`)
		if r.status == http.StatusOK {
			t.Errorf("a code of %s was accepted as a code of the mini program", name)
		}
	}
}

func (s *site) snapshotCode() string {
	s.t.Helper()
	code, err := s.sim.MintWebCode(wechatsim.User{App: officialApp.ID, Name: "alice"}, simweb.Login{Snapshot: true})
	if err != nil {
		s.t.Fatal(err)
	}
	return code.Code
}

// TestSessionFixation: a login ends the browser's previous session, whose cookie an attacker
// may know.
func TestSessionFixation(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	attacker := s.visitor(wechatAgent)
	attacker.enterOfficial("mallory")
	victim := attacker.clone()
	victim.enterOfficial("alice")
	if victim.jar[cookie] == attacker.jar[cookie] {
		t.Error("the cookie is the same")
	}
	victim.wantUser("the victim", openIDOf(officialApp, "alice"))
	attacker.wantUser("the attacker", "")
	// A cookie without a session, set before the login, is replaced.
	planted := s.visitor(wechatAgent)
	planted.jar[cookie] = "planted"
	planted.enterOfficial("alice")
	if planted.jar[cookie] == "planted" {
		t.Error("the planted cookie stays")
	}
}

// TestOpenRedirects: a login returns only to the site. The spellings are tested in package
// browser.
func TestOpenRedirects(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	for _, back := range []string{"//evil.example", "https://evil.example/", "/\\evil.example", "https:evil.example", "javascript:alert(1)", shop + "@evil.example/", pub + "/web/login"} {
		v := s.visitor(wechatAgent)
		target := pub + "/web/login?return=" + strings.NewReplacer(`\`, "%5C", ":", "%3A", "/", "%2F", "@", "%40").Replace(back)
		r := v.visit(target)
		v.wantPage(back, r, http.StatusBadRequest, "invalid_request")
		if strings.Contains(r.body, "evil.example") || len(v.jar) != 0 {
			t.Errorf("%s: cookies %v, page %s", back, v.jar, r.body)
		}
	}
}

// TestPageMethods: HEAD is refused for pages, since it would spend the code or ticket in the
// URL.
func TestPageMethods(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	v := s.visitor(wechatAgent)
	state := v.begin(pub + "/web/login?door=official")
	link := returned(s.webCode(officialApp, "alice"), state)
	for _, method := range []string{"HEAD", "POST", "PUT", "DELETE", "OPTIONS"} {
		r := v.send(method, link, "", "Origin", shop)
		if r.status != http.StatusMethodNotAllowed || r.header.Get("Allow") != "GET" {
			t.Errorf("%s: status %d, Allow %q", method, r.status, r.header.Get("Allow"))
		}
		v.wantNoSession(method, r)
	}
	v.wantPage("early data", v.visit(link, "Early-Data", "1"), http.StatusTooEarly, "invalid_request")
	v.wantSession("GET", v.visit(link), shop+"/")
	for _, path := range []string{"/web/login", "/web/enter?ticket=wxt_a", "/web/callback?state=a"} {
		v.wantPage(path, v.send(http.MethodHead, pub+path, ""), http.StatusMethodNotAllowed, "invalid_request")
	}
	s.gateway.Acquire = func() (*Runtime, error) { return nil, auth.ErrStoreUnavailable }
	v.wantPage("without a store", v.visit(pub+"/web/login"), http.StatusServiceUnavailable, "store_unavailable")
}
