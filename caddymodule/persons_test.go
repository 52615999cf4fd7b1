package caddymodule_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// elsewhereApp is called at another API host.
const elsewhereApp = "wx0000000000000003"

// newPersonFixture is a stopped gateway of three apps, of which the last is at another API
// host.
func newPersonFixture(t *testing.T, config string) *fixture {
	t.Helper()
	apps := []wechatsim.App{{ID: firstApp, Secret: wechatsim.DefaultApp.Secret}}
	const first = "\t\tapp wx0000000000000001 {env.WXGATE_TEST_SECRET} {\n\t\t\tapi {{.API}}\n\t\t}\n"
	more := first
	for _, app := range []string{secondApp, elsewhereApp} {
		apps = append(apps, wechatsim.App{ID: app, Secret: wechatsim.DefaultApp.Secret})
		more += strings.ReplaceAll(first, firstApp, app)
	}
	dir, err := os.MkdirTemp("", "wx") //nolint:usetesting // a socket's path has 100 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	f := newStoppedFixture(t, wechatsim.Config{Apps: apps}, "")
	f.dir = dir
	elsewhere := strings.Replace(f.sim.URL, "127.0.0.1", "localhost", 1)
	at := strings.LastIndex(more, "{{.API}}")
	f.config = strings.Replace(config, first, more[:at]+elsewhere+more[at+len("{{.API}}"):], 1)
	return f
}

// loginAs logs a user of an app in, whom WeChat gives a unionid.
func (f *fixture) loginAs(app, name, unionid string) answer {
	f.t.Helper()
	code, err := f.sim.Sim.MintCode(wechatsim.User{App: app, Name: name}, wechatsim.Login{UnionID: unionid})
	if err != nil {
		f.t.Fatal(err)
	}
	a := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q,"appid":%q}`, code.Code, app))
	a.want(f.t, http.StatusOK, "")
	return a
}

// TestPersonLogout ends a person's sessions in all apps of the platform and API host, and
// nobody else's.
func TestPersonLogout(t *testing.T) {
	const person, other = "ocMvos6NjeKLIBqg5Mr9QjxrP1FA", "ocMvos6NjeKLIBqg5Mr9QjxrP1FB"
	test := func(t *testing.T, here, there *fixture) {
		ended := []answer{here.loginAs(firstApp, "alice", person), here.loginAs(firstApp, "alice", person), here.loginAs(secondApp, "alice", person)}
		kept := []answer{here.loginAs(elsewhereApp, "alice", person), here.loginAs(firstApp, "bob", other), here.loginAs(secondApp, "carol", "")}
		if out := there.operate("user", "logout", "--app", secondApp, "--unionid", person); !strings.Contains(out, "3 sessions ended") {
			t.Errorf("the command said %q", out)
		}
		for _, login := range ended {
			here.refusedSoon("Bearer "+login.str(t, "access_token"), "session_revoked")
			here.refresh(login.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")
		}
		for _, login := range kept {
			here.wantCall(login.str(t, "access_token"), http.StatusOK, "")
		}
		address := "--address=unix/" + there.socket()
		there.refusedTo([]string{"user", "logout", "--app", firstApp, "--unionid", person, address}, "404", "no user with this unionid is logged in")
		there.refusedTo([]string{"user", "logout", "--app", "wx9", "--unionid", person, address}, "404", "app is not configured")
		there.refusedTo([]string{"user", "logout", "--app", firstApp, "--unionid", "a b", address}, "400", "either openid or unionid")
		there.refusedTo([]string{"user", "logout", "--app", firstApp, "--unionid", person, "--openid", "o", address}, "either --openid")
		again := here.loginAs(firstApp, "alice", person)
		here.wantCall(again.str(t, "access_token"), http.StatusOK, "")
		if out := there.operate("user", "logout", "--app", firstApp, "--unionid", person); !strings.Contains(out, "1 session ended") {
			t.Errorf("the command said %q", out)
		}
	}
	t.Run("bolt", func(t *testing.T) {
		f := newPersonFixture(t, operated("", "issuer wxgate"))
		f.load()
		test(t, f, f)
	})
	t.Run("redis", func(t *testing.T) {
		t.Setenv("WXGATE_TEST_ROOT", sharedRoot)
		here := newPersonFixture(t, shared("redis redis://"+startRedis(t).addr, ""))
		here.load()
		test(t, here, here.replica())
	})
}
