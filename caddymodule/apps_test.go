package caddymodule_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// Two mini programs in one process. Below /one only users of the first are admitted.
const (
	firstApp  = "wx0000000000000001"
	secondApp = "wx0000000000000002"

	twoAppsSite = `
{
	admin off
	persist_config off
	storage file_system {{.Dir}}/caddy
	wxgate {
		app wx0000000000000001 {env.WXGATE_TEST_SECRET} {
			api {{.API}}
		}
		app wx0000000000000002 {env.WXGATE_TEST_OTHER_SECRET} {
			api {{.API}}
		}
		store bolt {{.Dir}}/wxgate.db
	}
}
http://{{.Addr}} {
	route /one/* {
		wxgate {
			prefix /one/pub
			app wx0000000000000001
		}
		reverse_proxy {{.Upstream}}
	}
	route {
		wxgate {
			require app wx0000000000000002 on /second/*
		}
		reverse_proxy {{.Upstream}}
	}
}
`
)

func newTwoApps(t *testing.T) *fixture {
	t.Helper()
	t.Setenv("WXGATE_TEST_OTHER_SECRET", "00000000000000000000000000000002")
	f := newStoppedFixture(t, wechatsim.Config{Apps: []wechatsim.App{
		{ID: firstApp, Secret: wechatsim.DefaultApp.Secret},
		{ID: secondApp, Secret: "00000000000000000000000000000002"},
	}}, twoAppsSite)
	f.load()
	return f
}

func (f *fixture) codeOf(app string) string {
	f.t.Helper()
	c, err := f.sim.Sim.MintCode(wechatsim.User{App: app, Name: "alice"}, wechatsim.Login{})
	if err != nil {
		f.t.Fatal(err)
	}
	return c.Code
}

func (f *fixture) loginTo(app string) response {
	f.t.Helper()
	a := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q,"appid":%q}`, f.codeOf(app), app))
	a.want(f.t, http.StatusOK, "")
	return a
}

// TestWhichApp: the app of a login is the one in the body, else the one in WeChat's Referer,
// else the only one of the site; otherwise the status is 400 (design.md section 3).
func TestWhichApp(t *testing.T) {
	f := newTwoApps(t)
	const refererOf = "https://servicewechat.com/"
	for _, tc := range []struct {
		name, prefix, codeOf, member, referer string
		status                                int
		code, app                             string
	}{
		{"body names the first", pub, firstApp, `"appid":"` + firstApp + `"`, "", 200, "", firstApp},
		{"body names the second", pub, secondApp, `"appid":"` + secondApp + `"`, "", 200, "", secondApp},
		{"body in camelCase", pub, secondApp, `"appId":"` + secondApp + `"`, "", 200, "", secondApp},
		{"body in snake_case", pub, secondApp, `"app_id":"` + secondApp + `"`, "", 200, "", secondApp},
		{"Referer names the first", pub, firstApp, "", refererOf + firstApp + "/12/page-frame.html", 200, "", firstApp},
		{"Referer names the second", pub, secondApp, "", refererOf + secondApp + "/devtools/page-frame.html", 200, "", secondApp},
		{"body and Referer differ", pub, secondApp, `"appid":"` + secondApp + `"`, refererOf + firstApp + "/1/", 200, "", secondApp},
		{"neither body nor Referer", pub, firstApp, "", "", 400, "invalid_request", ""},
		{"another site's Referer", pub, firstApp, "", "https://servicewechat.com.evil.example/" + firstApp + "/1/", 400, "invalid_request", ""},
		{"Referer over http", pub, firstApp, "", "http://servicewechat.com/" + firstApp + "/1/", 400, "invalid_request", ""},
		{"Referer without a version", pub, firstApp, "", refererOf + firstApp, 400, "invalid_request", ""},
		{"Referer with a bad appid", pub, firstApp, "", refererOf + "wx%30/1/", 400, "invalid_request", ""},
		{"body names an unknown app", pub, firstApp, `"appid":"wx0000000000000003"`, "", 400, "unknown_app", ""},
		{"Referer names an unknown app", pub, firstApp, "", refererOf + "wx0000000000000003/1/", 400, "unknown_app", ""},
		{"body names nonsense", pub, firstApp, `"appid":"../x"`, "", 400, "unknown_app", ""},
		{"code of the other app", pub, firstApp, `"appid":"` + secondApp + `"`, "", 401, "invalid_code", ""},
		{"the only app of this site", "/one/pub", firstApp, "", "", 200, "", firstApp},
		{"configured, but not for this site", "/one/pub", secondApp, `"appid":"` + secondApp + `"`, "", 400, "unknown_app", ""},
		{"by Referer, but not for this site", "/one/pub", secondApp, "", refererOf + secondApp + "/1/", 400, "unknown_app", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := fmt.Sprintf(`{"code":%q`, f.codeOf(tc.codeOf))
			if tc.member != "" {
				body += "," + tc.member
			}
			var header []string
			if tc.referer != "" {
				header = []string{"Referer", tc.referer}
			}
			a := f.do("POST", tc.prefix+"/openId", body+"}", header...)
			a.want(t, tc.status, tc.code)
			if tc.app == "" {
				return
			}
			if got := a.str(t, "appId"); got != tc.app {
				t.Errorf("appId %q, want %q", got, tc.app)
			}
			if got, want := a.str(t, "openId"), wechatsim.OpenIDFor(tc.app, "alice"); got != want {
				t.Errorf("openId %q, want %q", got, want)
			}
		})
	}
}

// TestTokenOfAnotherApp: where only the first app is admitted, all tokens and handles of a user
// of the second app are refused, and remain valid elsewhere.
func TestTokenOfAnotherApp(t *testing.T) {
	f := newTwoApps(t)
	first, second := f.loginTo(firstApp), f.loginTo(secondApp)
	bearer := "Bearer " + second.str(t, "access_token")
	user := wechatsim.User{App: secondApp, Name: "alice"}
	sealed, err := f.sim.Sim.EncryptPhone(user, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	phone, err := f.sim.Sim.MintPhoneCode(user, wechatsim.PhoneNumber{})
	if err != nil {
		t.Fatal(err)
	}
	f.sim.Sim.ClearRequests()
	open := fmt.Sprintf(`{"encrypted_data":%q,"iv":%q}`, sealed.EncryptedData, sealed.IV)
	handle := fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, sealed.EncryptedData, sealed.IV, second.str(t, "session_key"))
	for _, tc := range []struct{ name, method, path, body, bearer string }{
		{"a request", "GET", "/one/orders", "", bearer},
		{"session", "GET", "/one/pub/session", "", bearer},
		{"decode by token", "POST", "/one/pub/decode", open, bearer},
		{"decode by handle", "POST", "/one/pub/decode", handle, ""},
		{"decode by code", "POST", "/one/pub/decode", fmt.Sprintf(`{"code":%q}`, phone.Code), bearer},
		{"userInfo", "POST", "/one/pub/userInfo", open, bearer},
		{"refresh", "POST", "/one/pub/refresh", fmt.Sprintf(`{"refresh_token":%q}`, second.str(t, "refresh_token")), ""},
		{"logout", "POST", "/one/pub/logout", "", bearer},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var header []string
			if tc.bearer != "" {
				header = []string{"Authorization", tc.bearer}
			}
			f.do(tc.method, tc.path, tc.body, header...).want(t, http.StatusForbidden, "app_not_admitted")
		})
	}
	// Revoke responds with 200 in any case, and ends no session of another app.
	for _, member := range []string{"refresh_token", "access_token"} {
		f.do("POST", "/one/pub/revoke", fmt.Sprintf(`{"token":%q}`, second.str(t, member))).want(t, http.StatusOK, "")
	}
	if n := f.upstream.count() + f.sim.Sim.Count(); n != 0 {
		t.Errorf("%d refused requests reached the upstream or WeChat", n)
	}

	f.do("GET", "/second/orders", "", "Authorization", bearer).want(t, http.StatusOK, "")
	if got := f.upstream.last(t).Header.Get("X-Wx-Appid"); got != secondApp {
		t.Errorf("X-WX-APPID %q", got)
	}
	f.do("POST", pub+"/decode", open, "Authorization", bearer).want(t, http.StatusOK, "")
	f.do("POST", pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, second.str(t, "refresh_token"))).want(t, http.StatusOK, "")

	bearer = "Bearer " + first.str(t, "access_token")
	f.do("GET", "/one/orders", "", "Authorization", bearer).want(t, http.StatusOK, "")
	f.do("GET", "/second/orders", "", "Authorization", bearer).want(t, http.StatusForbidden, "app_not_admitted")
	// A handle of one user is refused with the token of another.
	f.do("POST", pub+"/decode", handle, "Authorization", bearer).want(t, http.StatusBadRequest, "invalid_request")
}
