package simserver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

// exchange exchanges the code of a web login.
func exchange(t *testing.T, srv *simserver.Server, app wechatsim.App, code string) simtest.Reply {
	t.Helper()
	r := simtest.Call(t, http.MethodGet, simtest.Query(srv.URL+simweb.AccessTokenPath,
		"appid", app.ID, "secret", app.Secret, "code", code, "grant_type", "authorization_code"), "")
	simtest.WantCode(t, r, 0)
	return r
}

// TestManagementWebCodes makes codes of both kinds of apps, and of a snapshot.
func TestManagementWebCodes(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	alice := exchange(t, srv, simtest.OfficialApp, manage(t, srv, 200, "GET", "/web-code?user=alice", ""))
	if alice.OpenID != wechatsim.OpenIDFor(simtest.OfficialApp.ID, "alice") || alice.Scope != simweb.ScopeUserInfo {
		t.Errorf("%+v", alice)
	}
	base := exchange(t, srv, simtest.OfficialApp, manage(t, srv, 200, "GET", "/web-code?openid=o-bob&scope=snsapi_base", ""))
	if base.OpenID != "o-bob" || base.Scope != simweb.ScopeBase {
		t.Errorf("%+v", base)
	}
	var made wechatsim.Code
	manageJSON(t, srv, "POST", "/web-codes", `{"appid":"wxdddddddddddddddd"}`, &made)
	if r := exchange(t, srv, simtest.WebsiteApp, made.Code); r.OpenID != made.OpenID || r.OpenID != wechatsim.OpenIDFor(simtest.WebsiteApp.ID, "alice") {
		t.Errorf("%+v of %+v", r, made)
	}
	manageJSON(t, srv, "POST", "/web-codes", `{"snapshot":true}`, &made)
	if r := exchange(t, srv, simtest.OfficialApp, made.Code); r.Snapshot != 1 || r.OpenID == alice.OpenID {
		t.Errorf("%+v", r)
	}
	for body, want := range map[string]string{
		`{"appid":"wxaaaaaaaaaaaaaaaa"}`:                        "is not of kind official or website",
		`{"scope":"snsapi_login"}`:                              "unrecognized scope",
		`{"appid":"wxdddddddddddddddd","snapshot":true}`:        "only pages inside WeChat",
		`{"appid":"wxeeeeeeeeeeeeeeee"}`:                        "unknown app",
		`{"appid":"wxcccccccccccccccc","unionid":"of a login"}`: "unknown field",
	} {
		if got := manage(t, srv, 400, "POST", "/web-codes", body); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	if got := manage(t, srv, 400, "GET", "/code?appid=wxcccccccccccccccc", ""); !strings.Contains(got, "not a mini program") {
		t.Errorf("wx.login of an official account: %s", got)
	}
}

// TestManagementUserInfoOnly hides the unionid, and shows it again.
func TestManagementUserInfoOnly(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	simtest.Login(t, srv, wechatsim.User{Name: "alice"}, wechatsim.Login{UnionID: "u"})
	for body, want := range map[string]string{`{}`: "", `{"appid":"wxcccccccccccccccc","userinfo_only":false}`: "u"} {
		manage(t, srv, 204, "POST", "/userinfo-only", body)
		if r := exchange(t, srv, simtest.OfficialApp, manage(t, srv, 200, "GET", "/web-code?user=alice", "")); r.UnionID != want {
			t.Errorf("%s: unionid %q, want %q", body, r.UnionID, want)
		}
	}
	if got := manage(t, srv, 400, "POST", "/userinfo-only", `{"appid":"wxaaaaaaaaaaaaaaaa"}`); !strings.Contains(got, "is not of kind") {
		t.Error(got)
	}
}

// TestManagementProgramCodes lists what a phone can scan.
func TestManagementProgramCodes(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	var codes []simweb.ProgramCode
	if manageJSON(t, srv, "GET", "/wxacodes", "", &codes); codes == nil || len(codes) != 0 {
		t.Errorf("%+v", codes)
	}
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	for _, scene := range []string{"first", "second"} {
		simtest.Send(t, http.MethodPost, srv.URL+"/wxa/getwxacodeunlimit?access_token="+token, `{"scene":"`+scene+`","page":"pages/scan","env_version":"trial"}`)
	}
	manageJSON(t, srv, "GET", "/wxacodes", "", &codes)
	if len(codes) != 2 || codes[1].Scene != "second" || codes[0].AppID != simtest.Apps[0].ID || codes[0].Page != "pages/scan" || codes[0].EnvVersion != "trial" {
		t.Errorf("%+v", codes)
	}
}

// TestManagementKinds shows the kind of an app and the nickname of a user.
func TestManagementKinds(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	if err := srv.Sim.AddUser(wechatsim.User{App: simtest.OfficialApp.ID, Name: "alice"}, wechatsim.Details{NickName: "爱丽丝"}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/apps": `"kind":"official"`, "/users": `"nickname":"爱丽丝"`, "/about": `"/connect/qrconnect"`} {
		if got := manage(t, srv, 200, "GET", path, ""); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
