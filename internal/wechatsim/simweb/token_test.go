package simweb_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

// exchangeURL is a right call of access_token.
func exchangeURL(base string, app wechatsim.App, code string) string {
	return simtest.Query(base+simweb.AccessTokenPath, "appid", app.ID, "secret", app.Secret, "code", code, "grant_type", "authorization_code")
}

func exchange(t *testing.T, srv *simserver.Server, app wechatsim.App, code string) simtest.Reply {
	t.Helper()
	return simtest.Call(t, http.MethodGet, exchangeURL(srv.URL, app, code), "")
}

func userInfo(t *testing.T, srv *simserver.Server, token, openid string) simtest.Reply {
	t.Helper()
	return simtest.Call(t, http.MethodGet, simtest.Query(srv.URL+simweb.UserInfoPath, "access_token", token, "openid", openid, "lang", "zh_CN"), "")
}

func mint(t *testing.T, srv *simserver.Server, app wechatsim.App, name string, l simweb.Login) string {
	t.Helper()
	code, err := srv.Sim.MintWebCode(wechatsim.User{App: app.ID, Name: name}, l)
	if err != nil {
		t.Fatal(err)
	}
	return code.Code
}

// TestOnePerson logs alice in at a mini program, an official account and a website: one unionid,
// three openids.
func TestOnePerson(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	first := simtest.Login(t, srv, wechatsim.User{Name: "alice"}, wechatsim.Login{UnionID: "union-alice"})
	openids := map[string]bool{first.OpenID: true}
	for _, app := range []wechatsim.App{simtest.OfficialApp, simtest.WebsiteApp} {
		r := exchange(t, srv, app, mint(t, srv, app, "alice", simweb.Login{}))
		openids[r.OpenID] = true
		if r.UnionID != "union-alice" || r.ExpiresIn != 7200 || r.Refresh == "" || r.Snapshot != 0 {
			t.Errorf("%+v", r)
		}
		info := userInfo(t, srv, r.AccessToken, r.OpenID)
		if info.OpenID != r.OpenID || info.UnionID != "union-alice" || info.NickName != "alice" || info.HeadImgURL == "" {
			t.Errorf("%+v", info)
		}
	}
	if len(openids) != 3 {
		t.Errorf("alice has the openids %v", openids)
	}
	if r := exchange(t, srv, simtest.OfficialApp, mint(t, srv, simtest.OfficialApp, "bob", simweb.Login{})); r.UnionID != "" {
		t.Errorf("bob, whom no mini program knows, has unionid %q", r.UnionID)
	}
}

// TestAddedPerson has what was added, and nothing of the user with the same name elsewhere.
func TestAddedPerson(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	simtest.Login(t, srv, wechatsim.User{Name: "alice"}, wechatsim.Login{UnionID: "union-alice"})
	if err := srv.Sim.AddUser(wechatsim.User{App: simtest.OfficialApp.ID, Name: "alice", OpenID: "o-alice"}, wechatsim.Details{NickName: "爱丽丝"}); err != nil {
		t.Fatal(err)
	}
	r := exchange(t, srv, simtest.OfficialApp, mint(t, srv, simtest.OfficialApp, "alice", simweb.Login{}))
	if info := userInfo(t, srv, r.AccessToken, r.OpenID); r.OpenID != "o-alice" || r.UnionID != "" || info.NickName != "爱丽丝" || info.UnionID != "" {
		t.Errorf("%+v, %+v", r, info)
	}
}

// TestScopes has the profile for all scopes but base.
func TestScopes(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	simtest.Login(t, srv, wechatsim.User{Name: "alice"}, wechatsim.Login{UnionID: "union-alice"})
	for _, test := range []struct {
		app     wechatsim.App
		scope   string
		unionid string
		errcode int
	}{
		{simtest.OfficialApp, simweb.ScopeBase, "", 48001},
		{simtest.OfficialApp, simweb.ScopeUserInfo, "union-alice", 0},
		{simtest.WebsiteApp, simweb.ScopeLogin, "union-alice", 0},
	} {
		r := exchange(t, srv, test.app, mint(t, srv, test.app, "alice", simweb.Login{Scope: test.scope}))
		if r.UnionID != test.unionid || r.Scope != test.scope {
			t.Errorf("%s: %+v", test.scope, r)
		}
		simtest.WantCode(t, userInfo(t, srv, r.AccessToken, r.OpenID), test.errcode)
	}
}

// TestSnapshot is a virtual user, another one at each login.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	simtest.Login(t, srv, wechatsim.User{Name: "alice"}, wechatsim.Login{UnionID: "union-alice"})
	alice := exchange(t, srv, simtest.OfficialApp, mint(t, srv, simtest.OfficialApp, "alice", simweb.Login{}))
	seen := map[string]bool{alice.OpenID: true, alice.UnionID: true}
	for range 2 {
		code, _ := picked(t, officialPage(srv.URL, simweb.ScopeUserInfo, "snapshot", "1", "user", "alice"))
		r := exchange(t, srv, simtest.OfficialApp, code)
		if r.Snapshot != 1 || seen[r.OpenID] || seen[r.UnionID] {
			t.Errorf("%+v", r)
		}
		seen[r.OpenID], seen[r.UnionID] = true, true
		if info := userInfo(t, srv, r.AccessToken, r.OpenID); info.OpenID != r.OpenID || info.UnionID != r.UnionID || info.NickName != "微信用户" {
			t.Errorf("%+v", info)
		}
	}
	code, _ := picked(t, officialPage(srv.URL, simweb.ScopeBase, "snapshot", "1"))
	if r := exchange(t, srv, simtest.OfficialApp, code); r.Snapshot != 1 || r.UnionID != "" {
		t.Errorf("base: %+v", r)
	}
	// A website has no snapshots: the page ignores the parameter.
	resp, _ := simtest.Send(t, http.MethodGet, websitePage(srv.URL, "snapshot", "1"), "")
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%d", resp.StatusCode)
	}
}

// TestUserInfoOnly has the unionid in userinfo alone, and then in both again.
func TestUserInfoOnly(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	simtest.Login(t, srv, wechatsim.User{Name: "alice"}, wechatsim.Login{UnionID: "union-alice"})
	for _, only := range []bool{true, false} {
		if err := srv.Sim.SetUserInfoOnly(simtest.OfficialApp.ID, only); err != nil {
			t.Fatal(err)
		}
		r := exchange(t, srv, simtest.OfficialApp, mint(t, srv, simtest.OfficialApp, "alice", simweb.Login{}))
		if (r.UnionID == "") != only || userInfo(t, srv, r.AccessToken, r.OpenID).UnionID != "union-alice" {
			t.Errorf("only %v: %+v", only, r)
		}
	}
	if err := srv.Sim.SetUserInfoOnly("wxeeeeeeeeeeeeeeee", true); !errors.Is(err, wechatsim.ErrUnknownApp) {
		t.Error(err)
	}
}

// TestAccessTokenRefuses asserts which errcode each mistake has.
func TestAccessTokenRefuses(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	app := simtest.OfficialApp
	code := mint(t, srv, app, "alice", simweb.Login{})
	of := func(appid, secret, grant, code string) string {
		return simtest.Query(srv.URL+simweb.AccessTokenPath, "appid", appid, "secret", secret, "grant_type", grant, "code", code)
	}
	const grant = "authorization_code"
	for _, test := range []struct {
		name, method, target string
		errcode              int
	}{
		{"no appid", "GET", of("", app.Secret, grant, code), 41002},
		{"unknown appid", "GET", of("wxeeeeeeeeeeeeeeee", app.Secret, grant, code), 40013},
		{"a mini program", "GET", of(simtest.Apps[0].ID, simtest.Apps[0].Secret, grant, code), 40013},
		{"no secret", "GET", of(app.ID, "", grant, code), 41004},
		{"wrong secret", "GET", of(app.ID, "x", grant, code), 40125},
		{"grant_type", "GET", of(app.ID, app.Secret, "code", code), 40002},
		{"no code", "GET", of(app.ID, app.Secret, grant, ""), 41008},
		{"unknown code", "GET", of(app.ID, app.Secret, grant, "x"), 40029},
		{"a code of wx.login", "GET", of(app.ID, app.Secret, grant, simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})), 40029},
		{"another app's code", "GET", exchangeURL(srv.URL, simtest.WebsiteApp, code), 40029},
		{"POST", "POST", of(app.ID, app.Secret, grant, code), 43001},
		{"the code itself", "GET", of(app.ID, app.Secret, grant, code), 0},
		{"a used code", "GET", of(app.ID, app.Secret, grant, code), 40163},
	} {
		t.Run(test.name, func(t *testing.T) { simtest.WantCode(t, simtest.Call(t, test.method, test.target, ""), test.errcode) })
	}
	old := mint(t, srv, app, "alice", simweb.Login{})
	srv.Sim.Advance(5 * time.Minute)
	simtest.WantCode(t, exchange(t, srv, app, old), 40029)
}

// TestUserInfoRefuses asserts which errcode each mistake has.
func TestUserInfoRefuses(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	r := exchange(t, srv, simtest.OfficialApp, mint(t, srv, simtest.OfficialApp, "alice", simweb.Login{}))
	server := simtest.StableToken(t, srv, simtest.OfficialApp, false)
	simtest.WantCode(t, server, 0)
	for _, test := range []struct {
		name, token, openid string
		errcode             int
	}{
		{"no token", "", r.OpenID, 41001},
		{"unknown token", "x", r.OpenID, 40001},
		{"the app's own token", server.AccessToken, r.OpenID, 40001},
		{"no openid", r.AccessToken, "", 41009},
		{"another openid", r.AccessToken, "o-bob", 40003},
		{"its own", r.AccessToken, r.OpenID, 0},
	} {
		t.Run(test.name, func(t *testing.T) { simtest.WantCode(t, userInfo(t, srv, test.token, test.openid), test.errcode) })
	}
	if code := simtest.TokenCode(t, srv, r.AccessToken); code != 40001 {
		t.Errorf("a user's token is an app's: %d", code)
	}
	srv.Sim.Advance(2 * time.Hour)
	simtest.WantCode(t, userInfo(t, srv, r.AccessToken, r.OpenID), 42001)

	r = exchange(t, srv, simtest.OfficialApp, mint(t, srv, simtest.OfficialApp, "alice", simweb.Login{}))
	srv.Sim.ExpireTokens()
	simtest.WantCode(t, userInfo(t, srv, r.AccessToken, r.OpenID), 42001)
}

// TestKinds refuses what an app of another kind may do.
func TestKinds(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	for _, app := range []wechatsim.App{simtest.OfficialApp, simtest.WebsiteApp} {
		code := mint(t, srv, app, "alice", simweb.Login{})
		simtest.WantCode(t, simtest.Call(t, http.MethodGet, simtest.LoginURL(srv, app, code), ""), 40013)
		user := wechatsim.User{App: app.ID, Name: "alice"}
		if _, err := srv.Sim.MintCode(user, wechatsim.Login{}); !errors.Is(err, wechatsim.ErrNotMiniProgram) {
			t.Error(err)
		}
		if _, err := srv.Sim.MintPhoneCode(user, wechatsim.PhoneNumber{}); !errors.Is(err, wechatsim.ErrNoPhoneCodes) {
			t.Error(err)
		}
	}
	simtest.WantCode(t, simtest.StableToken(t, srv, simtest.OfficialApp, false), 0)
	simtest.WantCode(t, simtest.StableToken(t, srv, simtest.WebsiteApp, false), 40013)
	for _, test := range []struct {
		user  wechatsim.User
		login simweb.Login
		want  error
	}{
		{wechatsim.User{App: simtest.Apps[0].ID}, simweb.Login{}, simweb.ErrBadLogin},
		{wechatsim.User{App: "wxeeeeeeeeeeeeeeee"}, simweb.Login{}, wechatsim.ErrUnknownApp},
		{wechatsim.User{App: simtest.WebsiteApp.ID}, simweb.Login{Scope: simweb.ScopeBase}, simweb.ErrBadLogin},
		{wechatsim.User{App: simtest.WebsiteApp.ID}, simweb.Login{Snapshot: true}, simweb.ErrBadLogin},
	} {
		if _, err := srv.Sim.MintWebCode(test.user, test.login); !errors.Is(err, test.want) {
			t.Errorf("%+v: %v, want %v", test, err, test.want)
		}
	}
}

// TestFaults strike the new calls as all others.
func TestFaults(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	for _, path := range []string{simweb.AccessTokenPath, simweb.UserInfoPath} {
		simtest.Arm(t, srv, fault.Fault{Path: path, Kind: fault.Busy, Times: 1})
		simtest.WantCode(t, simtest.Call(t, http.MethodGet, srv.URL+path, ""), -1)
	}
	simtest.Arm(t, srv, fault.Fault{Path: simweb.WebsitePath, Kind: fault.HTTP500, Times: 1})
	if resp, _ := simtest.Send(t, http.MethodGet, websitePage(srv.URL), ""); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("%d", resp.StatusCode)
	}
}
