package caddymodule_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// The apps of newPersonFixture beside the first two. The last two have another API host, which
// could return any unionid for its users.
const (
	personOfficial    = "wx0000000000000004" // a service account
	elsewhereApp      = "wx0000000000000003"
	elsewhereOfficial = "wx0000000000000005"
)

// newPersonFixture returns a stopped gateway with three mini programs and two service accounts.
// The last of each has another API host.
func newPersonFixture(t *testing.T, config string) *fixture {
	t.Helper()
	apps := []wechatsim.App{{ID: firstApp, Secret: wechatsim.DefaultApp.Secret}}
	const first = "\t\tapp wx0000000000000001 {env.WXGATE_TEST_SECRET} {\n\t\t\tapi {{.API}}\n\t\t}\n"
	more := first
	for _, app := range []string{secondApp, elsewhereApp, personOfficial, elsewhereOfficial} {
		block := strings.ReplaceAll(first, firstApp, app)
		if app == personOfficial || app == elsewhereOfficial {
			block = strings.Replace(block, "{\n", "{\n\t\t\tkind official\n", 1)
		} else {
			apps = append(apps, wechatsim.App{ID: app, Secret: wechatsim.DefaultApp.Secret})
		}
		if app == elsewhereApp || app == elsewhereOfficial {
			block = strings.Replace(block, "{{.API}}", "{{elsewhere}}", 1)
		}
		more += block
	}
	dir, err := os.MkdirTemp("", "wx") //nolint:usetesting // a socket's path has 100 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	f := newStoppedFixture(t, wechatsim.Config{Apps: apps}, "")
	f.dir = dir
	elsewhere := strings.Replace(f.sim.URL, "127.0.0.1", "localhost", 1)
	f.config = strings.Replace(config, first, strings.ReplaceAll(more, "{{elsewhere}}", elsewhere), 1)
	return f
}

// loginAs logs in a user of an app, for whom WeChat returns a unionid.
func (f *fixture) loginAs(app, name, unionid string) response {
	f.t.Helper()
	code, err := f.sim.Sim.MintCode(wechatsim.User{App: app, Name: name}, wechatsim.Login{UnionID: unionid})
	if err != nil {
		f.t.Fatal(err)
	}
	a := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q,"appid":%q}`, code.Code, app))
	a.want(f.t, http.StatusOK, "")
	return a
}

// onBothPersonStores is onBothStores with the apps of newPersonFixture.
func onBothPersonStores(t *testing.T, test func(t *testing.T, here, there *fixture)) {
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

// TestPersonLogout ends a person's sessions in all apps of the platform and API host, and no
// sessions of other persons.
func TestPersonLogout(t *testing.T) {
	const person, other = "ocMvos6NjeKLIBqg5Mr9QjxrP1FA", "ocMvos6NjeKLIBqg5Mr9QjxrP1FB"
	test := func(t *testing.T, here, there *fixture) {
		ended := []response{here.loginAs(firstApp, "alice", person), here.loginAs(firstApp, "alice", person), here.loginAs(secondApp, "alice", person)}
		kept := []response{here.loginAs(elsewhereApp, "alice", person), here.loginAs(firstApp, "bob", other), here.loginAs(secondApp, "carol", "")}
		there.showsPerson(person, ended)
		for _, command := range []string{"show", "logout", "erase"} {
			there.refusedTo([]string{"user", command, "--app", elsewhereOfficial, "--unionid", other, "--address=unix/" + there.socket()}, "404", "no user with this unionid")
		}
		if out := there.operate("user", "logout", "--app", personOfficial, "--unionid", person); !strings.Contains(out, "3 sessions ended") {
			t.Errorf("the command printed %q", out)
		}
		for _, login := range ended {
			here.refusedSoon("Bearer "+login.str(t, "access_token"), "session_revoked")
			here.refresh(login.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")
		}
		for _, login := range kept {
			here.wantCall(login.str(t, "access_token"), http.StatusOK, "")
		}
		there.refusesPersons("logout", person)
		there.refusesPersons("show", person)
		again := here.loginAs(firstApp, "alice", person)
		here.wantCall(again.str(t, "access_token"), http.StatusOK, "")
		if out := there.operate("user", "logout", "--app", firstApp, "--unionid", person); !strings.Contains(out, "1 session ended") {
			t.Errorf("the command printed %q", out)
		}
	}
	onBothPersonStores(t, test)
}

// showsPerson checks the output of `user show` for a person with these logins, as JSON and as
// text. The last login is in another app.
func (f *fixture) showsPerson(person string, logins []response) {
	f.t.Helper()
	type shown struct {
		UnionID string `json:"unionid"`
		Users   []struct {
			App      string `json:"app"`
			OpenID   string `json:"openid"`
			UserID   string `json:"user_id"`
			Sessions []struct {
				Door string `json:"door"`
			} `json:"sessions"`
		} `json:"users"`
	}
	got := queried[shown](f, "user", "show", "--app", secondApp, "--unionid", person)
	if got.UnionID != person || len(got.Users) != 2 || len(got.Users[0].Sessions) != 2 || len(got.Users[1].Sessions) != 1 {
		f.t.Fatalf("the person is %+v", got)
	}
	out := f.operate("user", "show", "--app", firstApp, "--unionid", person)
	for i, login := range []response{logins[0], logins[len(logins)-1]} {
		u := got.Users[i]
		if u.App != login.str(f.t, "appId") || u.OpenID != login.str(f.t, "openId") || u.Sessions[0].Door != "miniprogram" {
			f.t.Errorf("the person has the user %+v", u)
		}
		if want := u.OpenID + "  " + u.UserID + "  "; !strings.Contains(out, want) {
			f.t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if !strings.Contains(out, "sessions           3\n") || !strings.Contains(out, "DOORS") || strings.Contains(out, "PARENT") {
		f.t.Errorf("the person is\n%s", out)
	}
}

type eraseReceipt struct {
	Found       bool `json:"found"`
	Sessions    int  `json:"sessions"`
	SessionKeys int  `json:"session_keys"`
	Users       []struct {
		App      string `json:"app"`
		OpenID   string `json:"openid"`
		Sessions int    `json:"sessions"`
		Problem  string `json:"problem"`
	} `json:"users"`
	NotCovered []string `json:"not_covered"`
}

// TestPersonErase erases a person's users in all apps of the platform and API host, and no users
// of other persons. With store redis, another machine does it. The receipt has each user.
func TestPersonErase(t *testing.T) {
	const person, other = "ocMvos6NjeKLIBqg5Mr9QjxrP1FA", "ocMvos6NjeKLIBqg5Mr9QjxrP1FB"
	onBothPersonStores(t, func(t *testing.T, here, there *fixture) {
		gone := []response{here.loginAs(firstApp, "alice", person), here.loginAs(firstApp, "alice", person), here.loginAs(secondApp, "alice", person)}
		kept := []response{here.loginAs(elsewhereApp, "alice", person), here.loginAs(firstApp, "bob", other), here.loginAs(secondApp, "carol", "")}
		receipt := queried[eraseReceipt](there, "user", "erase", "--app", secondApp, "--unionid", person)
		if !receipt.Found || receipt.Sessions != 3 || receipt.SessionKeys != 3 || len(receipt.Users) != 2 || len(receipt.NotCovered) != 8 {
			t.Fatalf("the receipt is %+v", receipt)
		}
		for i, want := range []struct {
			login    response
			sessions int
		}{{gone[0], 2}, {gone[2], 1}} {
			if u := receipt.Users[i]; u.OpenID != want.login.str(t, "openId") || u.App != want.login.str(t, "appId") || u.Sessions != want.sessions || u.Problem != "" {
				t.Errorf("the receipt has the user %+v", u)
			}
		}
		for _, login := range gone {
			here.refusedSoon("Bearer "+login.str(t, "access_token"), "session_revoked")
			here.refresh(login.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")
			of := queried[listedPage](there, "sessions", "list", "--app", login.str(t, "appId"), "--openid", login.str(t, "openId"))
			if len(of.Sessions) != 0 {
				t.Errorf("sessions %+v are left", of.Sessions)
			}
		}
		for _, login := range kept {
			here.wantCall(login.str(t, "access_token"), http.StatusOK, "")
		}
		there.refusesPersons("erase", person)

		again := here.loginAs(firstApp, "alice", person)
		here.wantCall(again.str(t, "access_token"), http.StatusOK, "")
		out := there.operate("user", "erase", "--app", firstApp, "--unionid", person)
		for _, want := range []string{"erased\n", again.str(t, "openId") + "  1         1             -\n", "- users of the person without a live session"} {
			if !strings.Contains(out, want) {
				t.Errorf("%q is missing in\n%s", want, out)
			}
		}
	})
}

// TestEraseOfAPart: the command fails if a user of the person was not erased, and prints which.
func TestEraseOfAPart(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"found":true,"sessions":1,"session_keys":1,"attempts_kept":false,"tokens_refused_until":"2026-11-28T21:33:04Z","users":[
			{"app":"wx1","openid":"a","sessions":1,"session_keys":1},{"app":"wx2","openid":"b","sessions":0,"session_keys":0,"problem":"store_unavailable"}],"not_covered":[]}`)
	}))
	t.Cleanup(server.Close)
	f := &fixture{t: t}
	args := []string{"user", "erase", "--app", "wx1", "--unionid", "u", "--address", server.Listener.Addr().String()}
	out, err := f.command(args...)
	if err == nil || err.Error() != "1 of 2 users not erased; repeat the command with the openid of each that has a problem" {
		t.Errorf("the command returned %v", err)
	}
	if !strings.HasPrefix(out, "not everything was erased\n") || !strings.Contains(out, "wx2  b       0         0             store_unavailable\n") {
		t.Errorf("it printed\n%s", out)
	}
	if out, err := f.command(append(args, "--json")...); err == nil || !strings.Contains(out, `"problem": "store_unavailable"`) {
		t.Errorf("with --json: %v\n%s", err, out)
	}
}

// TestPersonPrints: the command prints a person's users with their doors, and the parents of
// web-view sessions.
func TestPersonPrints(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/wxgate/person/show" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		at := `"login":"2026-11-28T21:33:04Z","last_seen":"2026-11-28T21:33:04Z","expires":"2026-11-29T21:33:04Z","device":"ios","phone_verified":false`
		_, _ = io.WriteString(w, `{"unionid":"u","person_id":"p","users":[
			{"app":"wx1","openid":"a","user_id":"i","session_keys":1,"failed_today":0,"sessions":[
				{"session":"page","app":"wx1","openid":"a","user_id":"i","door":"webview","parent":"phone",`+at+`},
				{"session":"pc","app":"wx1","openid":"a","user_id":"i","door":"scan",`+at+`},
				{"session":"phone","app":"wx1","openid":"a","user_id":"i","door":"miniprogram",`+at+`}]},
			{"app":"wx2","openid":"b","user_id":"j","session_keys":0,"failed_today":0,"sessions":[
				{"session":"official","app":"wx2","openid":"b","user_id":"j","door":"official",`+at+`}]}]}`)
	}))
	t.Cleanup(server.Close)
	f := &fixture{t: t}
	out, err := f.command("user", "show", "--app", "wx1", "--unionid", "u", "--address", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"users              2\n", "sessions           4\n",
		"wx1  a       i        3         miniprogram, scan, webview\n", "wx2  b       j        1         official\n",
		"  webview      no              phone\n", "  scan         no              -\n", "  official     no              -\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

// refusesPersons checks the errors of a command about a person who is no longer logged in, and of
// invalid arguments.
func (f *fixture) refusesPersons(command, person string) {
	f.t.Helper()
	address := "--address=unix/" + f.socket()
	f.refusedTo([]string{"user", command, "--app", firstApp, "--unionid", person, address}, "404", "no user with this unionid is logged in")
	f.refusedTo([]string{"user", command, "--app", "wx9", "--unionid", person, address}, "404", "app is not configured")
	f.refusedTo([]string{"user", command, "--app", firstApp, "--unionid", "a b", address}, "400", "either openid or unionid")
	f.refusedTo([]string{"user", command, "--app", firstApp, "--unionid", person, "--openid", "o", address}, "either --openid")
}
