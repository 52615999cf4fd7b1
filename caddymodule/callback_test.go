package caddymodule_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
)

const (
	pushToken      = "pushtoken0001"
	otherPushToken = "pushtoken0002"
	pushKey        = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

// callbackSite has three apps: the first gets messages in the clear, the second
// encrypted ones, the third none. All three share one site.
const callbackSite = `
{
	admin off
	persist_config off
	storage file_system {{.Dir}}/caddy
	log {
		output file {{.Dir}}/log
		level DEBUG
	}
	wxgate {
		app wx0000000000000001 {env.WXGATE_TEST_SECRET} {
			api {{.API}}
			callback {env.WXGATE_TEST_PUSH}
		}
		app wx0000000000000002 {env.WXGATE_TEST_SECRET} {
			api {{.API}}
			callback {env.WXGATE_TEST_OTHER_PUSH} {env.WXGATE_TEST_PUSH_KEY}
		}
		app wx0000000000000003 {env.WXGATE_TEST_SECRET} {
			api {{.API}}
		}
		store bolt {{.Dir}}/wxgate.db
	}
}
http://{{.Addr}} {
	wxgate
	reverse_proxy {{.Upstream}}
}
http://{{.Plain}} {
	wxgate {
		app wx0000000000000003
	}
	reverse_proxy {{.Upstream}}
}
`

func newCallbackFixture(t *testing.T) *fixture {
	t.Helper()
	t.Setenv("WXGATE_TEST_PUSH", pushToken)
	t.Setenv("WXGATE_TEST_OTHER_PUSH", otherPushToken)
	t.Setenv("WXGATE_TEST_PUSH_KEY", pushKey)
	var apps []wechatsim.App
	for i := range 3 {
		apps = append(apps, wechatsim.App{ID: fmt.Sprintf("wx000000000000000%d", i+1), Secret: wechatsim.DefaultApp.Secret})
	}
	f := newStoppedFixture(t, wechatsim.Config{Apps: apps}, callbackSite)
	f.load()
	return f
}

func (f *fixture) loginOf(app, name string) answer {
	f.t.Helper()
	code, err := f.sim.Sim.MintCode(wechatsim.User{App: app, Name: name}, wechatsim.Login{})
	if err != nil {
		f.t.Fatal(err)
	}
	a := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q,"appid":%q}`, code.Code, app))
	a.want(f.t, http.StatusOK, "")
	return a
}

// TestCallbackEndsSessions is what WeChat demands: the user who withdrew is out,
// on every device, and nobody else is.
func TestCallbackEndsSessions(t *testing.T) {
	f := newCallbackFixture(t)
	plain := simpush.Target{Token: pushToken}
	sealed := simpush.Target{Token: otherPushToken, EncodingAESKey: pushKey}
	for _, tc := range []struct {
		app, event string
		to         simpush.Target
	}{
		{"wx0000000000000001", "user_authorization_revoke", plain},
		{"wx0000000000000002", "user_authorization_cancellation", sealed},
	} {
		for _, isXML := range []bool{false, true} {
			tc.to.XML = isXML
			user := wechatsim.User{App: tc.app, Name: "alice"}
			phone, tablet := f.loginOf(tc.app, "alice"), f.loginOf(tc.app, "alice")
			bob := f.loginOf(tc.app, "bob")
			namesake := f.loginOf("wx0000000000000003", "alice")
			push, err := simpush.Event(f.sim.Sim, user, tc.event, tc.to)
			if err != nil {
				t.Fatal(err)
			}
			a := f.do("POST", pub+"/callback?"+push.Query.Encode(), string(push.Body))
			if a.want(t, http.StatusOK, ""); a.body != "success" {
				t.Errorf("answered %q", a.body)
			}
			for _, login := range []answer{phone, tablet} {
				f.do("GET", pub+"/session", "", "Authorization", "Bearer "+login.str(t, "access_token")).want(t, http.StatusUnauthorized, "session_revoked")
				f.do("POST", pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, login.str(t, "refresh_token"))).want(t, http.StatusUnauthorized, "")
			}
			// The session keys are gone: the handle opens nothing any more.
			data, err := f.sim.Sim.EncryptPhone(user, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
			if err != nil {
				t.Fatal(err)
			}
			f.do("POST", pub+"/decode", fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, data.EncryptedData, data.IV, tablet.str(t, "session_key"))).
				want(t, http.StatusUnauthorized, "session_stale")
			for _, other := range []answer{bob, namesake, f.loginOf(tc.app, "alice")} {
				f.do("GET", pub+"/session", "", "Authorization", "Bearer "+other.str(t, "access_token")).want(t, http.StatusOK, "")
			}
		}
	}
	f.wantNoSecretsInLog(pushToken, otherPushToken, pushKey, wechatsim.OpenIDFor("wx0000000000000001", "alice"))
}

// TestCallbackReplayed: a recorded push ends no session that its user has begun
// since. WeChat's next push does.
func TestCallbackReplayed(t *testing.T) {
	f := newCallbackFixture(t)
	user := wechatsim.User{App: "wx0000000000000002", Name: "alice"}
	to := simpush.Target{Token: otherPushToken, EncodingAESKey: pushKey}
	send := func(push simpush.Request) {
		t.Helper()
		f.do("POST", pub+"/callback?"+push.Query.Encode(), string(push.Body)).want(t, http.StatusOK, "")
	}
	push := func() simpush.Request {
		t.Helper()
		p, err := simpush.Event(f.sim.Sim, user, "user_authorization_revoke", to)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	recorded := push()
	before := "Bearer " + f.loginOf(user.App, "alice").str(t, "access_token")
	send(recorded)
	f.do("GET", pub+"/session", "", "Authorization", before).want(t, http.StatusUnauthorized, "session_revoked")
	since := "Bearer " + f.loginOf(user.App, "alice").str(t, "access_token")
	send(recorded)
	f.do("GET", pub+"/session", "", "Authorization", since).want(t, http.StatusOK, "")
	send(push())
	f.do("GET", pub+"/session", "", "Authorization", since).want(t, http.StatusUnauthorized, "session_revoked")
}

func (f *fixture) wantNoSecretsInLog(secrets ...string) {
	f.t.Helper()
	log, err := os.ReadFile(filepath.Join(f.dir, "log"))
	if err != nil {
		f.t.Fatal(err)
	}
	if !strings.Contains(string(log), "as WeChat requires") {
		f.t.Error("the log says nothing of it")
	}
	for _, secret := range secrets {
		if strings.Contains(string(log), secret) {
			f.t.Errorf("the log holds %s", secret)
		}
	}
}

// TestCallbackAddress is what the console does when the address is entered.
func TestCallbackAddress(t *testing.T) {
	f := newCallbackFixture(t)
	for _, token := range []string{pushToken, otherPushToken} {
		check := simpush.Check(f.sim.Sim, simpush.Target{Token: token})
		a := f.do("GET", pub+"/callback?"+check.Query.Encode(), "")
		if a.want(t, http.StatusOK, ""); a.body != check.Query.Get("echostr") || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
			t.Errorf("answered %q as %s", a.body, a.header.Get("Content-Type"))
		}
	}
	foreign := simpush.Check(f.sim.Sim, simpush.Target{Token: "anothertoken"})
	a := f.do("GET", pub+"/callback?"+foreign.Query.Encode(), "")
	if a.want(t, http.StatusForbidden, "forbidden"); a.header.Get("WWW-Authenticate") != "" {
		t.Errorf("a challenge where no token helps: %v", a.header)
	}
	f.do("GET", pub+"/callback", "").want(t, http.StatusBadRequest, "invalid_request")
	f.do("PUT", pub+"/callback", "").want(t, http.StatusMethodNotAllowed, "invalid_request")
	// A site none of whose apps has a callback has no such call.
	f.url = "http://" + f.plain
	f.do("GET", pub+"/callback", "").want(t, http.StatusNotFound, "not_found")
}

func TestCallbackRefusals(t *testing.T) {
	f := newCallbackFixture(t)
	alice := wechatsim.User{Name: "alice"}
	token := f.loginOf("wx0000000000000001", "alice").str(t, "access_token")
	push := func(u wechatsim.User, to simpush.Target) simpush.Request {
		r, err := simpush.Event(f.sim.Sim, u, "user_authorization_revoke", to)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	foreign := push(alice, simpush.Target{Token: "anothertoken"})
	// The second app's console cannot end sessions of the first.
	crossed := push(alice, simpush.Target{Token: otherPushToken, EncodingAESKey: pushKey, Receiver: "wx0000000000000002"})
	inClear := push(wechatsim.User{App: "wx0000000000000002"}, simpush.Target{Token: otherPushToken})
	wrongKey := push(wechatsim.User{App: "wx0000000000000002"}, simpush.Target{Token: otherPushToken, EncodingAESKey: strings.Repeat("x", 43)})
	noKey := push(alice, simpush.Target{Token: pushToken, EncodingAESKey: pushKey})
	old := push(alice, simpush.Target{Token: pushToken})
	stamp := fmt.Sprint(f.sim.Sim.Now().Unix() - 3600)
	old.Query.Set("timestamp", stamp)
	old.Query.Set("signature", simpush.Signature(pushToken, stamp, old.Query.Get("nonce")))
	huge := push(alice, simpush.Target{Token: pushToken})
	huge.Body = []byte(strings.Repeat(" ", 65<<10))
	for _, tc := range []struct {
		name   string
		push   simpush.Request
		status int
		code   string
	}{
		{"a foreign's", foreign, 403, "forbidden"},
		{"of another app", crossed, 403, "forbidden"},
		{"in the clear", inClear, 403, "forbidden"},
		{"wrong key", wrongKey, 400, "decrypt_failed"},
		{"no key", noKey, 500, "app_misconfigured"},
		{"an hour old", old, 403, "forbidden"},
		{"too long", huge, 413, "invalid_request"},
		{"nothing", simpush.Request{}, 400, "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f.do("POST", pub+"/callback?"+tc.push.Query.Encode(), string(tc.push.Body)).want(t, tc.status, tc.code)
		})
	}
	f.do("GET", pub+"/session", "", "Authorization", "Bearer "+token).want(t, http.StatusOK, "")
}
