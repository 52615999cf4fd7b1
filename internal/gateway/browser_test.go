package gateway

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/browser"
	"github.com/wxgate/wxgate/internal/gateway/browser/page"
	"github.com/wxgate/wxgate/internal/gateway/limit"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/web"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

const (
	shop   = "https://shop.example.com"
	cookie = "__Host-wxgate"

	wechatAgent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.60(0x18003c32) NetType/WIFI Language/zh_CN"
	chromeAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36"

	exchangePath = simweb.AccessTokenPath
)

// The apps that log users in on pages.
var (
	officialApp = wechatsim.WebApps()[0]
	websiteApp  = wechatsim.WebApps()[1]
)

// newWebSite returns a site with all doors, and with the paths of newRulesSite.
func newWebSite(t testing.TB, change func(*site, *Config)) *site {
	t.Helper()
	return newSite(t, func(s *site, c *Config) {
		openWeb(t, s)
		pages, err := page.New(page.Theme{}, "")
		if err != nil {
			t.Fatal(err)
		}
		c.Guard.Browser, err = browser.New(browser.Config{
			URL: shop, Prefix: DefaultPrefix, Official: browser.Official{App: auth.AppID(officialApp.ID)}, Website: auth.AppID(websiteApp.ID),
			Scan: browser.Scan{App: auth.AppID(first.ID), Page: "pages/scan", Place: "{city}"}, Ticket: true, Pages: pages,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, app := range c.Guard.Browser.Apps() {
			c.Guard.Admitted[app] = struct{}{}
		}
		c.Guard.Public, c.Guard.Optional = pathSet(t, "/public/*"), pathSet(t, "/optional/*")
		c.Guard.Require = []Requirement{{What: AttributePhone, Paths: pathSet(t, "/phone/*").Lenient()}}
		c.Limits = limit.New(limit.Config{Scan: limit.Rate{N: 10, Per: time.Minute}, Phone: limit.Rate{N: 10, Per: time.Minute}, Decode: limit.Rate{N: 30, Per: time.Minute}, Inflight: 8})
		if change != nil {
			change(s, c)
		}
	})
}

// openWeb adds the apps of pages and the rules of browsers to a runtime.
func openWeb(t testing.TB, s *site) {
	t.Helper()
	rt := s.runtime
	apps := map[auth.AppID]auth.Platform{}
	for _, app := range wechatsim.WebApps() {
		client, err := wechat.New(wechat.Config{AppID: auth.AppID(app.ID), Secret: app.Secret, Kind: wechat.Kind(app.Kind), API: s.api})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		rt.Platforms[auth.AppID(app.ID)] = client
	}
	for app, client := range rt.Platforms {
		apps[app] = client
	}
	rt.Service = auth.NewService(auth.Config{
		Apps: apps, Tokens: rt.Tokens, Store: rt.Store, Revocations: rt.Revocations, Available: rt.Ready,
		Access: time.Hour, Refresh: 30 * 24 * time.Hour, Idle: 7 * 24 * time.Hour,
	})
	box, err := seal.New([]byte(strings.Repeat("root secret ", 4)))
	if err != nil {
		t.Fatal(err)
	}
	rt.Web, err = web.New(web.Config{Sessions: rt.Service, Records: web.NewLocalRecords(time.Now), Box: box, Pseudonym: rt.Tokens.Pseudonym})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.Web.Close)
}

// visitor is a browser with its cookies.
type visitor struct {
	*site

	agent, address string
	jar            map[string]string
}

func (s *site) visitor(agent string) *visitor {
	return &visitor{site: s, agent: agent, address: "192.0.2.1", jar: map[string]string{}}
}

// clone returns another browser with the same cookies.
func (v *visitor) clone() *visitor {
	other := v.visitor(v.agent)
	maps.Copy(other.jar, v.jar)
	return other
}

// send sends a request with the cookies, and stores the cookies of the response. Headers come
// in pairs.
func (v *visitor) send(method, target, body string, headers ...string) response {
	v.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("User-Agent", v.agent)
	r.Header.Set("X-Test-Address", v.address)
	r.Header.Set("X-Test-City", "深圳")
	for name, value := range v.jar {
		r.Header.Add("Cookie", name+"="+value)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	out := v.serve(r)
	for _, set := range (&http.Response{Header: out.header}).Cookies() {
		if set.MaxAge < 0 {
			delete(v.jar, set.Name)
		} else {
			v.jar[set.Name] = set.Value
		}
	}
	return out
}

// visit opens a page.
func (v *visitor) visit(target string, headers ...string) response {
	v.t.Helper()
	return v.send(http.MethodGet, target, "", append([]string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none"}, headers...)...)
}

// post sends a POST like a page of the site.
func (v *visitor) post(target, body string, headers ...string) response {
	v.t.Helper()
	return v.send(http.MethodPost, target, body, append([]string{"Origin", shop, "Sec-Fetch-Site", "same-origin"}, headers...)...)
}

// wantPage checks the status and the code of an error page, and that no session began.
func (v *visitor) wantPage(what string, r response, status int, code string) {
	v.t.Helper()
	if r.status != status || v.shown["code"] != code || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
		v.t.Errorf("%s: status %d, code %q, want %d %q", what, r.status, v.shown["code"], status, code)
	}
	v.wantNoSession(what, r)
	wantPrivate(v.t, what, r)
}

func (v *visitor) wantNoSession(what string, r response) {
	v.t.Helper()
	for _, set := range r.header["Set-Cookie"] {
		if strings.HasPrefix(set, cookie+"=") {
			v.t.Errorf("%s: the response sets %s", what, set)
		}
	}
}

// wantPrivate checks that a response is not cached, that other pages don't get its URL, and
// that no page can frame it.
func wantPrivate(t testing.TB, what string, r response) {
	t.Helper()
	if r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: Cache-Control is %q", what, r.header.Get("Cache-Control"))
	}
	if p := r.header.Get("Referrer-Policy"); p != "no-referrer" && p != "strict-origin" {
		t.Errorf("%s: Referrer-Policy is %q", what, p)
	}
	if strings.HasPrefix(r.header.Get("Content-Type"), "text/html") &&
		(r.header.Get("X-Frame-Options") != "DENY" || !strings.Contains(r.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")) {
		t.Errorf("%s: another page may frame it: %v", what, r.header)
	}
}

// wantSession checks that a response begins a session and redirects the browser.
func (v *visitor) wantSession(what string, r response, to string) {
	v.t.Helper()
	if r.status != http.StatusSeeOther || r.header.Get("Location") != to || v.jar[cookie] == "" {
		v.t.Errorf("%s: status %d to %q, code %q, want %q", what, r.status, r.header.Get("Location"), v.shown["code"], to)
	}
	wantPrivate(v.t, what, r)
}

// wantUser checks the user that the upstream gets for a browser; "" for none.
func (v *visitor) wantUser(what, openid string) {
	v.t.Helper()
	r := v.send(http.MethodGet, "/orders", "")
	got := ""
	if v.passed != nil {
		got = v.passed.Header.Get("X-Wx-Openid")
	}
	if got != openid || (r.status == http.StatusOK) != (openid != "") {
		v.t.Errorf("%s: the upstream sees %q, status %d %s, want %q", what, got, r.status, r.get("code"), openid)
	}
}

// begin begins a login, and returns the state that WeChat gets.
func (v *visitor) begin(target string) (state string) {
	v.t.Helper()
	r := v.visit(target)
	to, err := url.Parse(r.header.Get("Location"))
	if err != nil || r.status != http.StatusSeeOther || !strings.HasPrefix(to.String(), v.api+"/connect/") {
		v.t.Fatalf("status %d to %v, %v: %s", r.status, to, err, r.body)
	}
	wantPrivate(v.t, "the redirect to WeChat", r)
	if got := to.Query().Get("redirect_uri"); got != shop+pub+"/web/callback" {
		v.t.Errorf("WeChat would return to %q", got)
	}
	return to.Query().Get("state")
}

// webCode returns a code of a user of an app for web pages.
func (s *site) webCode(app wechatsim.App, name string) string {
	s.t.Helper()
	code, err := s.sim.MintWebCode(wechatsim.User{App: app.ID, Name: name}, simweb.Login{})
	if err != nil {
		s.t.Fatal(err)
	}
	return code.Code
}

func returned(code, state string) string {
	return pub + "/web/callback?" + url.Values{"code": {code}, "state": {state}}.Encode()
}

// enterOfficial logs a user in inside WeChat.
func (v *visitor) enterOfficial(name string) {
	v.t.Helper()
	state := v.begin(pub + "/web/login?door=official&return=%2Fhome")
	v.wantSession("the login of "+name, v.visit(returned(v.webCode(officialApp, name), state)), shop+"/home")
}

// audited returns the events that a site audits from now on.
func (s *site) audited() *[]audit.Event {
	var events []audit.Event
	s.runtime.Audit = func(e audit.Event) { events = append(events, e) }
	return &events
}

func openIDOf(app wechatsim.App, name string) string { return wechatsim.OpenIDFor(app.ID, name) }

// serveOnce serves a visit of a browser at the same time as others, and returns the status.
func serveOnce(g *Gateway, target string, jar map[string]string) int {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header.Set("User-Agent", wechatAgent)
	for name, value := range jar {
		r.Header.Add("Cookie", name+"="+value)
	}
	w := httptest.NewRecorder()
	_ = g.ServeHTTP(w, r, nil)
	return w.Code
}
