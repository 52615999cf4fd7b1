package caddymodule_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

// platformsSite serves a mini program on WeChat and one on each other platform.
func platformsSite() string { return siteWith{wxgate: siblingApps()}.String() }

// siblingApps configures a mini program on each platform except WeChat.
func siblingApps() string {
	var apps strings.Builder
	for _, app := range wechatsim.Siblings() {
		platform := string(app.Platform)
		if app.MiniProgram != "" {
			platform += " " + app.MiniProgram
		}
		fmt.Fprintf(&apps, "\t\tapp %s %s {\n\t\t\tplatform %s\n\t\t\tapi {{.API}}%s\n\t\t}\n", app.ID, app.Secret, platform, app.Platform.Prefix())
	}
	return apps.String()
}

// platformUser returns bob, with an openid in the format of the app's platform.
func platformUser(app wechatsim.App) wechatsim.User {
	user := wechatsim.User{App: app.ID, Name: "bob"}
	if app.Platform == wechatsim.WeCom {
		user.OpenID = "bob.w@example.com"
	}
	return user
}

func (f *fixture) platformLogin(app wechatsim.App) response {
	f.t.Helper()
	code, err := f.sim.Sim.MintCode(platformUser(app), wechatsim.Login{})
	if err != nil {
		f.t.Fatal(err)
	}
	a := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q,"appid":%q}`, code.Code, app.ID))
	a.want(f.t, http.StatusOK, "")
	openid := code.OpenID
	if app.Platform == wechatsim.WeCom {
		openid = "_bob_dw_aexample_dcom"
	}
	if a.str(f.t, "openId") != openid || a.str(f.t, "appId") != app.ID {
		f.t.Fatalf("%s logged in %s", code.OpenID, a.body)
	}
	return a
}

// TestPlatforms uses each platform, all in one process: a login, an authenticated request, a
// phone number, a profile, a refresh and a logout.
func TestPlatforms(t *testing.T) {
	f := newFixture(t, platformsSite())
	f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q,"appid":%q}`, f.code("alice"), wechatsim.DefaultApp.ID)).want(t, http.StatusOK, "")
	for _, app := range wechatsim.Siblings() {
		t.Run(string(app.Platform), func(t *testing.T) {
			f.t = t
			login := f.platformLogin(app)
			openid, bearer := login.str(t, "openId"), "Bearer "+login.str(t, "access_token")
			f.do("GET", "/orders", "", "Authorization", bearer).want(t, http.StatusOK, "")
			seen := f.upstream.last(t)
			for name, want := range map[string]string{"X-Wx-Openid": openid, "X-Wx-Appid": app.ID, "X-Wx-Source": "wx_client"} {
				if got := seen.Header[name]; len(got) != 1 || got[0] != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			f.platformPhone(app, login.str(t, "session_key"), bearer)
			f.platformProfile(app, bearer)
			f.do("POST", pub+"/decode", `{"code":"some-phone-code"}`, "Authorization", bearer).want(t, http.StatusBadRequest, "invalid_request")
			pair := f.do("POST", pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, login.str(t, "refresh_token")))
			pair.want(t, http.StatusOK, "")
			bearer = "Bearer " + pair.str(t, "access_token")
			f.do("POST", pub+"/logout", `{"all":true}`, "Authorization", bearer).want(t, http.StatusNoContent, "")
			f.do("GET", "/orders", "", "Authorization", bearer).want(t, http.StatusUnauthorized, "session_revoked")
		})
	}
}

// platformPhone decodes a phone number with the handle, and again with the token, which returns a
// new token with the number. WeCom has a member mobile instead, which is not verified.
func (f *fixture) platformPhone(app wechatsim.App, handle, bearer string) {
	f.t.Helper()
	user := platformUser(app)
	sealed, err := f.sim.Sim.EncryptPhone(user, wechatsim.PhoneNumber{Number: "10012345678"}, wechatsim.Sealing{})
	if err != nil {
		f.t.Fatal(err)
	}
	data := fmt.Sprintf(`"encrypted_data":%q,"iv":%q`, sealed.EncryptedData, sealed.IV)
	byHandle := f.do("POST", pub+"/decode", fmt.Sprintf(`{%s,"session_key":%q}`, data, handle))
	byHandle.want(f.t, http.StatusOK, "")
	byToken := f.do("POST", pub+"/decode", "{"+data+"}", "Authorization", bearer)
	byToken.want(f.t, http.StatusOK, "")
	if app.Platform == wechatsim.WeCom {
		if byToken.json(f.t)["access_token"] != nil || byToken.str(f.t, "mobile") != "10012345678" {
			f.t.Errorf("got %s", byToken.body)
		}
		return
	}
	for _, a := range []response{byHandle, byToken} {
		if a.str(f.t, "purePhoneNumber") != "10012345678" || a.str(f.t, "countryCode") != "86" {
			f.t.Errorf("got %s", a.body)
		}
	}
	marked := app.Platform != wechatsim.Kuaishou && app.Platform != wechatsim.Xiaohongshu
	if _, ok := byToken.json(f.t)["watermark"]; ok != marked {
		f.t.Errorf("watermark %v in %s", ok, byToken.body)
	}
	if !marked { // a number without a watermark is not verified by default: see encrypted_phone
		for _, a := range []response{byHandle, byToken} {
			if verified, ok := a.json(f.t)["verified"].(bool); !ok || verified || a.json(f.t)["access_token"] != nil {
				f.t.Errorf("got %s", a.body)
			}
		}
		return
	}
	session := f.do("GET", pub+"/session", "", "Authorization", "Bearer "+byToken.str(f.t, "access_token"))
	if verified, _ := session.json(f.t)["phone_verified"].(bool); !verified {
		f.t.Errorf("got %s", session.body)
	}
}

// platformProfile decodes the user's own profile, and checks that another user's is refused.
func (f *fixture) platformProfile(app wechatsim.App, bearer string) {
	f.t.Helper()
	user := platformUser(app)
	profile, err := f.sim.Sim.EncryptProfile(user, wechatsim.Profile{}, wechatsim.Sealing{})
	if err != nil {
		f.t.Fatal(err)
	}
	f.do("POST", pub+"/userInfo", fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"raw_data":%q,"signature":%q}`,
		profile.EncryptedData, profile.IV, profile.RawData, profile.Signature), "Authorization", bearer).want(f.t, http.StatusOK, "")
	other := user
	other.OpenID = "mallory"
	stolen, err := f.sim.Sim.EncryptProfile(other, wechatsim.Profile{}, wechatsim.Sealing{SessionKey: f.sessionKey(user)})
	if err != nil {
		f.t.Fatal(err)
	}
	f.do("POST", pub+"/userInfo", fmt.Sprintf(`{"encrypted_data":%q,"iv":%q}`, stolen.EncryptedData, stolen.IV), "Authorization", bearer).
		want(f.t, http.StatusBadRequest, "decrypt_failed")
}

func (f *fixture) sessionKey(user wechatsim.User) string {
	f.t.Helper()
	key, err := f.sim.Sim.SessionKey(user)
	if err != nil {
		f.t.Fatal(err)
	}
	return key
}

// TestPlatformsApart: a login code of one platform's app is refused for an app of another platform.
func TestPlatformsApart(t *testing.T) {
	f := newFixture(t, platformsSite())
	apps := wechatsim.Siblings()
	for i, app := range apps {
		next := apps[(i+1)%len(apps)]
		code, err := f.sim.Sim.MintCode(platformUser(app), wechatsim.Login{})
		if err != nil {
			t.Fatal(err)
		}
		a := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q,"appid":%q}`, code.Code, next.ID))
		if a.status < 400 || a.status == http.StatusInternalServerError {
			t.Errorf("%s's code at %s: %d %s", app.Platform, next.Platform, a.status, a.body)
		}
	}
}

// TestPlatformsAreNamed: the error of a failed login names the platform and its login function,
// and the log names the app.
func TestPlatformsAreNamed(t *testing.T) {
	names := map[wechatsim.Platform][2]string{
		wechatsim.QQ: {"QQ", "qq.login"}, wechatsim.Douyin: {"Douyin", "tt.login"}, wechatsim.Kuaishou: {"Kuaishou", "ks.login"},
		wechatsim.Xiaohongshu: {"Xiaohongshu", "xhs.login"}, wechatsim.WeCom: {"WeCom", "wx.qy.login"},
	}
	f := newFixture(t, siteWith{global: logTo("INFO"), wxgate: siblingApps()}.String())
	for _, app := range wechatsim.Siblings() {
		name := names[app.Platform]
		body := fmt.Sprintf(`{"code":"made-up","appid":%q}`, app.ID)
		if app.Platform != wechatsim.Xiaohongshu { // its errcode for an invalid code is not published
			refused := f.do("POST", pub+"/openId", body)
			refused.want(t, http.StatusUnauthorized, "invalid_code")
			if detail := refused.str(t, "detail"); !strings.HasPrefix(detail, name[0]+" refused") || !strings.Contains(detail, "Call "+name[1]) {
				t.Errorf("%s: %s", app.Platform, detail)
			}
		}
		if err := f.sim.Sim.Arm(fault.Fault{Kind: fault.HTML}); err != nil {
			t.Fatal(err)
		}
		lost := f.do("POST", pub+"/openId", body)
		f.sim.Sim.ClearFaults()
		lost.want(t, http.StatusBadGateway, "wechat_unreadable")
		if detail := lost.str(t, "detail"); !strings.HasPrefix(detail, name[0]+"'s response") {
			t.Errorf("%s: %s", app.Platform, detail)
		}
		log, err := os.ReadFile(filepath.Join(f.dir, "log"))
		if cause := fmt.Sprintf(`"cause":"app %s on %s: platform response unreadable`, app.ID, app.Platform); err != nil || !strings.Contains(string(log), cause) {
			t.Errorf("no %s in %s, %v", cause, log, err)
		}
	}
}

// TestWeComOtherCompany: members of another company cannot log in.
func TestWeComOtherCompany(t *testing.T) {
	f := newFixture(t, platformsSite())
	for _, app := range wechatsim.Siblings() {
		if app.Platform != wechatsim.WeCom {
			continue
		}
		code, err := f.sim.Sim.MintCode(platformUser(app), wechatsim.Login{CorpID: "ww9999999999999999"})
		if err != nil {
			t.Fatal(err)
		}
		f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q,"appid":%q}`, code.Code, app.ID)).want(t, http.StatusForbidden, "forbidden")
	}
}

// TestPlatformRefusals: features that only WeChat has are refused at load for other platforms.
func TestPlatformRefusals(t *testing.T) {
	const qq = "app 1100000001 secret {\n\t\t\tplatform qq\n\t\t}"
	for name, row := range map[string]struct{ site, want string }{
		"openapi, named": {
			siteWith{wxgate: siblingApps(), routes: "route /out/* {\n\t\twxgate_openapi {\n\t\t\tapp 1100000001\n\t\t}\n\t}"}.String(),
			"app 1100000001 is on platform qq",
		},
		"openapi, no app": {
			siteWith{apps: qq, routes: "route /out/* {\n\t\twxgate_openapi\n\t}"}.String(),
			"no mini program is on platform wechat",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newStoppedFixture(t, simConfig(), row.site)
			if err := f.tryLoad(); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}
