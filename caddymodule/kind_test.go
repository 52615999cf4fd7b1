package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/internal/doctor"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// A service account and a website, beside the mini program of the same operator.
const (
	officialApp = "wx00000000000000aa"
	websiteApp  = "wx00000000000000bb"
)

// kindsSite is operatedSite with these apps, and with wxgate_openapi on Plain: below /wxa without
// a named app, otherwise for the service account. SITE and OPENAPI are replaced by further
// options.
var kindsSite = strings.NewReplacer(
	"store bolt", `app `+officialApp+` {env.WXGATE_TEST_SECRET} {
			kind official
			api {{.API}}
			callback {env.WXGATE_TEST_PUSH} {env.WXGATE_TEST_PUSH_KEY}
		}
		app `+websiteApp+` {env.WXGATE_TEST_SECRET} {
			kind website
			api {{.API}}
		}
		store bolt`,
	"GLOBAL", "dev_mode",
	"TOKEN", "",
	"public /metrics", "public /metrics\n\t\tprefetch /boot\n\t\trequire app "+officialApp+" on /h5/*\n\t\tSITE",
).Replace(operatedSite) + `
http://{{.Plain}} {
	bind 127.0.0.1
	handle /wxa/* {
		wxgate_openapi
	}
	handle {
		wxgate_openapi {
			app ` + officialApp + `
			OPENAPI
		}
	}
}
`

func newKinds(t *testing.T, site, openapi string) *fixture {
	t.Helper()
	setPushEnv(t)
	f := newOperatedFixture(t)
	secret := wechatsim.DefaultApp.Secret
	apps := wechatsim.Config{Apps: []wechatsim.App{wechatsim.DefaultApp, {ID: officialApp, Secret: secret}, {ID: websiteApp, Secret: secret}}}
	stopped := newStoppedFixture(t, apps, strings.NewReplacer("SITE", site, "OPENAPI", openapi).Replace(kindsSite))
	stopped.dir = f.dir // short enough for the path of a socket
	return stopped
}

// TestKindsOpenNothing: a service account and a website in the global block give their users
// access to no call and no path, and change nothing for the mini program.
func TestKindsOpenNothing(t *testing.T) {
	f := newKinds(t, "", "")
	f.load()
	for _, app := range []string{officialApp, websiteApp} {
		code := f.codeOf(app)
		logins := f.sim.Sim.Count("/sns/jscode2session")
		f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q,"appid":%q}`, code, app)).want(t, http.StatusBadRequest, "unknown_app")
		f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, code), "Referer", "https://servicewechat.com/"+app+"/1/page-frame.html").want(t, http.StatusBadRequest, "unknown_app")
		f.do("GET", "/boot?appid="+app+"&code="+code+"&timestamp=1700000000000", "").want(t, http.StatusBadRequest, "unknown_app")
		if n := f.sim.Sim.Count("/sns/jscode2session") - logins; n != 0 {
			t.Errorf("%s: %d codes were spent", app, n)
		}

		minted := queried[mintedToken](f, "token", "mint", "--app", app, "--openid", "o-reader")
		bearer := []string{"Authorization", "Bearer " + minted.AccessToken}
		for _, call := range []string{"GET /orders", "GET /h5/x", "POST " + pub + "/decode", "GET " + pub + "/session", "POST " + pub + "/prefetch-token"} {
			method, path, _ := strings.Cut(call, " ")
			f.do(method, path, `{"code":"x"}`, bearer...).want(t, http.StatusForbidden, "app_not_admitted")
		}
		f.refresh(minted.RefreshToken).want(t, http.StatusForbidden, "app_not_admitted")
	}
	if n := f.upstream.count(); n != 0 {
		t.Errorf("%d requests reached the upstream", n)
	}
	alice := f.login("alice") // needs no appid, because there is one mini program
	f.wantCall(alice.str(t, "access_token"), http.StatusOK, "")
	f.do("GET", "/h5/x", "", "Authorization", "Bearer "+alice.str(t, "access_token")).want(t, http.StatusForbidden, "app_not_admitted")
	// A callback serves no user.
	f.pushMessage(officialApp, customerText("oReader", "1", "hello")).want(t, http.StatusOK, "")
}

// TestKindsOpenAPI: services call WeChat for a service account only where it is named.
func TestKindsOpenAPI(t *testing.T) {
	f := newKinds(t, "", "")
	f.load()
	services := *f
	services.url = "http://" + f.plain
	for _, app := range []string{officialApp, websiteApp} {
		services.do("GET", "/wxa/checksession", "", "X-WX-APPID", app).want(t, http.StatusBadRequest, "unknown_app")
	}
	if n := f.sim.Sim.Count("/cgi-bin/stable_token"); n != 0 {
		t.Errorf("%d tokens were fetched", n)
	}
	services.do("GET", "/wxa/checksession", "").want(t, http.StatusOK, "") // for the only mini program
	services.do("GET", "/cgi-bin/getcallbackip", "").want(t, http.StatusOK, "")
	services.do("GET", "/cgi-bin/getcallbackip", "", "X-WX-APPID", firstApp).want(t, http.StatusBadRequest, "unknown_app")
	tokens := f.sim.Sim.Requests("/cgi-bin/stable_token")
	if len(tokens) != 2 || !strings.Contains(tokens[0].Body, firstApp) || !strings.Contains(tokens[1].Body, officialApp) {
		t.Errorf("access tokens were fetched with %v", tokens)
	}
}

// TestKindsRefused: options that cannot work are refused at load.
func TestKindsRefused(t *testing.T) {
	for name, row := range map[string]struct{ site, openapi, want string }{
		"site":    {"app " + officialApp, "", "app " + officialApp + " is of kind official, whose users log in on web pages; only web admits them"},
		"website": {"app " + firstApp + " " + websiteApp, "", "app " + websiteApp + " is of kind website, whose users log in on web pages; only web admits them"},
		"unknown": {"app wx00000000000000cc", "", "app wx00000000000000cc is not configured"},
		"openapi": {"", "allow /cgi-bin/*\n\t\t}\n\t}\n\thandle /x {\n\t\twxgate_openapi {\n\t\t\tapp " + websiteApp, "app " + websiteApp + " is of kind website, which has no server API"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newKinds(t, row.site, row.openapi)
			if err := f.tryLoad(); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

// TestKindsInJSON: the rules of the Caddyfile are enforced for JSON too.
func TestKindsInJSON(t *testing.T) {
	setPushEnv(t)
	t.Setenv("WXGATE_TEST_SECRET", wechatsim.DefaultApp.Secret)
	config, err := adaptCaddyfile(t, "{\n\twxgate {\n\t\tapp "+officialApp+" {env.WXGATE_TEST_SECRET} {\n\t\t\t"+forwarding("http://127.0.0.1:9/x reply")+"\n\t\t}\n\t\tstore memory\n\t}\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	const kind = `"kind": "official",`
	for replaced, want := range map[string]string{
		kind:                                    "",
		"":                                      "reply requires kind official",
		`"kind": "shop",`:                       `unrecognized kind "shop"; expected one of: official, website`,
		kind + `"encrypted_phone": "verified",`: "encrypted_phone is not supported for kind official",
	} {
		var parsed caddy.Config
		if err := json.Unmarshal([]byte(strings.Replace(config, kind, replaced, 1)), &parsed); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&parsed); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", replaced, err, want)
		}
	}
}

// TestKindsDoctor: doctor checks the credentials of a service account as those of a mini program.
// It cannot check those of a website.
func TestKindsDoctor(t *testing.T) {
	f := newKinds(t, "", "")
	f.load()
	found, err := f.examine()
	if err != nil || len(unhealthy(found)) > 0 {
		t.Fatalf("%v: %+v", err, unhealthy(found))
	}
	status := map[string]doctor.Status{}
	for _, finding := range found {
		if finding.Check == doctor.CheckCredentials {
			status[finding.About] = finding.Status
		}
	}
	if len(status) != 3 || status[firstApp] != doctor.OK || status[officialApp] != doctor.OK || status[websiteApp] != doctor.NotChecked {
		t.Errorf("credentials: %v", status)
	}
	if n := f.sim.Sim.Count("/cgi-bin/stable_token"); n != 2 {
		t.Errorf("%d tokens were fetched, want 2", n)
	}
}
