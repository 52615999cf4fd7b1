package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/browser"
	"github.com/wxgate/wxgate/internal/gateway/browser/page"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/web"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

const (
	hostileApp   = auth.AppID("wx00000000000000ee")
	hostileUnion = auth.UnionID("union-alice")
)

// newHostileSite returns a site whose official account has a hostile API: for each user it
// returns the openid and the unionid of alice of the mini program. The site also has the doors
// ticket and scan.
func newHostileSite(t *testing.T) *site {
	t.Helper()
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"access_token":"x","expires_in":7200,"refresh_token":"y","scope":"snsapi_userinfo","openid":%q,"unionid":%q}`, openIDOf(first, "alice"), hostileUnion)
	}))
	t.Cleanup(evil.Close)
	s := newWebSite(t, func(s *site, c *Config) {
		pages, err := page.New(page.Theme{}, "")
		if err != nil {
			t.Fatal(err)
		}
		c.Guard.Browser, err = browser.New(browser.Config{
			URL: shop, Prefix: DefaultPrefix, Official: browser.Official{App: hostileApp}, Scan: browser.Scan{App: auth.AppID(first.ID)}, Ticket: true, Pages: pages,
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Guard.Admitted[hostileApp] = struct{}{}
		client, err := wechat.New(wechat.Config{AppID: hostileApp, Secret: "secret", Kind: wechat.Official, API: evil.URL})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		s.runtime.Platforms[hostileApp] = client
		s.scope(t)
	})
	if err := s.sim.AddUser(wechatsim.User{App: first.ID, Name: "alice"}, wechatsim.Details{UnionID: string(hostileUnion)}); err != nil {
		t.Fatal(err)
	}
	return s
}

// scope gives the sessions the API host of every app.
func (s *site) scope(t *testing.T) {
	t.Helper()
	rt := s.runtime
	apps, scopes := map[auth.AppID]auth.Platform{}, map[auth.AppID]auth.Scope{}
	for app, client := range rt.Platforms {
		apps[app], scopes[app] = client, client.Scope()
	}
	rt.Service = auth.NewService(auth.Config{
		Apps: apps, Scopes: scopes, Tokens: rt.Tokens, Store: rt.Store, Revocations: rt.Revocations, Available: rt.Ready, Browsers: true,
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

// TestHostileAPI: if the API of an official account returns the IDs of a victim of another app,
// the login begins a session of a user of the official account. A logout of that user, or of
// the person that the API returned, does not end a session of the victim.
func TestHostileAPI(t *testing.T) {
	t.Parallel()
	s := newHostileSite(t)
	victim := s.bearer()
	webView := s.visitor(wechatAgent)
	ticket := webView.post(pub+"/web/ticket", "", victim...).get("ticket")
	webView.wantSession("the victim's web-view", webView.visit(pub+"/web/enter?ticket="+ticket), shop+"/")
	alice := openIDOf(first, "alice")
	victimLives := func(when string) {
		t.Helper()
		webView.wantUser("the victim's web-view "+when, alice)
		if r := s.do(http.MethodGet, "/orders", "", victim...); r.status != http.StatusOK || s.passed.Header.Get("X-Wx-Appid") != first.ID {
			t.Errorf("the victim's mini program %s: status %d", when, r.status)
		}
	}

	attacker := s.visitor(wechatAgent)
	enter := func() {
		t.Helper()
		r := attacker.visit(pub + "/web/login?door=official")
		to, err := url.Parse(r.header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		state := to.Query().Get("state")
		attacker.wantSession("the attacker", attacker.visit(returned("any", state)), shop+"/")
	}
	enter()
	attacker.wantUser("the attacker", alice) // the same openid, of another app
	if h := s.passed.Header; h.Get("X-Wx-Appid") != string(hostileApp) {
		t.Errorf("the attacker is a user of %s", h.Get("X-Wx-Appid"))
	}

	// The attacker's browser must not use the victim's ticket without confirmation: an equal
	// openid does not make them the same user.
	ticket = s.do(http.MethodPost, pub+"/web/ticket", "", append(victim, "User-Agent", wechatAgent, "X-Test-Address", attacker.address)...).get("ticket")
	r := attacker.visit(pub + "/web/enter?ticket=" + ticket)
	if r.status != http.StatusOK {
		t.Errorf("a ticket of the victim's in the attacker's browser: status %d", r.status)
	}
	attacker.wantNoSession("a ticket of the victim's in the attacker's browser", r)
	victimLives("after the attacker's login")

	attacker.post(pub+"/logout", `{"all":true}`).want(http.StatusNoContent, "")
	attacker.wantUser("the attacker after a logout of all", "")
	victimLives("after the attacker's logout of all")

	enter()
	for app, want := range map[auth.AppID][]auth.User{
		hostileApp:           {{App: hostileApp, OpenID: auth.OpenID(alice)}},
		auth.AppID(first.ID): {{App: auth.AppID(first.ID), OpenID: auth.OpenID(alice)}},
	} {
		users, err := s.runtime.Service.UsersOf(t.Context(), app, hostileUnion)
		if err != nil || !slices.Equal(users, want) {
			t.Errorf("the person by %s: %v, %v; want %v", app, users, err, want)
		}
	}
	if _, err := s.runtime.Service.EndUser(t.Context(), auth.User{App: hostileApp, OpenID: auth.OpenID(alice)}, auth.CauseOperator); err != nil {
		t.Error(err)
	}
	attacker.wantUser("the attacker after user logout", "")
	victimLives("after a logout of the hostile app's user")
	if _, err := s.runtime.Service.UsersOf(t.Context(), hostileApp, hostileUnion); !errors.Is(err, auth.ErrNoPerson) {
		t.Errorf("the hostile app's person after the logout: %v", err)
	}
}
