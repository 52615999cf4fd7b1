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

// callbackSite has three apps on one site: the first gets plain messages, the second
// encrypted messages, the third none.
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

func (f *fixture) loginOf(app, name string) response {
	f.t.Helper()
	code, err := f.sim.Sim.MintCode(wechatsim.User{App: app, Name: name}, wechatsim.Login{})
	if err != nil {
		f.t.Fatal(err)
	}
	a := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q,"appid":%q}`, code.Code, app))
	a.want(f.t, http.StatusOK, "")
	return a
}

// TestCallbackEndsSessions: as WeChat requires, all sessions of a user who withdraws the
// authorization end, and no sessions of other users.
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
				t.Errorf("response %q", a.body)
			}
			for _, login := range []response{phone, tablet} {
				f.do("GET", pub+"/session", "", "Authorization", "Bearer "+login.str(t, "access_token")).want(t, http.StatusUnauthorized, "session_revoked")
				f.do("POST", pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, login.str(t, "refresh_token"))).want(t, http.StatusUnauthorized, "")
			}
			// The session keys were deleted: the handle decrypts no data any more.
			data, err := f.sim.Sim.EncryptPhone(user, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
			if err != nil {
				t.Fatal(err)
			}
			f.do("POST", pub+"/decode", fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, data.EncryptedData, data.IV, tablet.str(t, "session_key"))).
				want(t, http.StatusUnauthorized, "session_stale")
			for _, other := range []response{bob, namesake, f.loginOf(tc.app, "alice")} {
				f.do("GET", pub+"/session", "", "Authorization", "Bearer "+other.str(t, "access_token")).want(t, http.StatusOK, "")
			}
		}
	}
	f.wantNoSecretsInLog(pushToken, otherPushToken, pushKey, wechatsim.OpenIDFor("wx0000000000000001", "alice"))
}

// TestCallbackReplayed: a replayed push does not end a session that began after the push.
// WeChat's next push does.
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
		f.t.Error("the log does not report the push")
	}
	for _, secret := range secrets {
		if strings.Contains(string(log), secret) {
			f.t.Errorf("the log contains %s", secret)
		}
	}
}

// TestCallbackAddress sends the check that WeChat's console sends when an operator enters the
// address.
func TestCallbackAddress(t *testing.T) {
	f := newCallbackFixture(t)
	for _, token := range []string{pushToken, otherPushToken} {
		check := simpush.Check(f.sim.Sim, simpush.Target{Token: token})
		a := f.do("GET", pub+"/callback?"+check.Query.Encode(), "")
		if a.want(t, http.StatusOK, ""); a.body != check.Query.Get("echostr") || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
			t.Errorf("response %q of type %s", a.body, a.header.Get("Content-Type"))
		}
	}
	foreign := simpush.Check(f.sim.Sim, simpush.Target{Token: "anothertoken"})
	a := f.do("GET", pub+"/callback?"+foreign.Query.Encode(), "")
	if a.want(t, http.StatusForbidden, "forbidden"); a.header.Get("WWW-Authenticate") != "" {
		t.Errorf("a challenge, although no token is accepted here: %v", a.header)
	}
	f.do("GET", pub+"/callback", "").want(t, http.StatusBadRequest, "invalid_request")
	f.do("PUT", pub+"/callback", "").want(t, http.StatusMethodNotAllowed, "invalid_request")
	// A site whose apps have no callback does not serve this call.
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
		{"signed with an unknown token", foreign, 403, "forbidden"},
		{"signed with the token of another app", crossed, 403, "forbidden"},
		{"not encrypted", inClear, 403, "forbidden"},
		{"encrypted with a wrong key", wrongKey, 400, "decrypt_failed"},
		{"encrypted, without a configured key", noKey, 500, "app_misconfigured"},
		{"an hour old", old, 403, "forbidden"},
		{"too long", huge, 413, "invalid_request"},
		{"empty", simpush.Request{}, 400, "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f.do("POST", pub+"/callback?"+tc.push.Query.Encode(), string(tc.push.Body)).want(t, tc.status, tc.code)
		})
	}
	f.do("GET", pub+"/session", "", "Authorization", "Bearer "+token).want(t, http.StatusOK, "")
}
