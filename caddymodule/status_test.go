package caddymodule_test

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

// TestStatus: the status has the apps, the store, the signing key and the latest outcomes, and
// names no user.
func TestStatus(t *testing.T) {
	onBothStores(t, func(t *testing.T, here, there *fixture) {
		alice := here.login("alice")
		openid := alice.str(t, "openId")
		here.wantCall(alice.str(t, "access_token"), http.StatusOK, "")
		before := loginCount(here)
		here.login("bob")
		if n := loginCount(here); n != before+1 {
			t.Errorf("%d logins after one more than %d", n, before)
		}
		text := there.operate("status")
		for _, want := range []string{"wxgate 0.", ": ready", "signing key " + here.keyIn("signing"), "events 0 waiting, 0 dead", wechatsim.DefaultApp.ID + "  wechat    closed"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
		if !strings.Contains(text, ": ready, 2 sessions of 2 users, ") {
			t.Errorf("the sessions and users are not counted:\n%s", text)
		}
		if here != there && !strings.Contains(text, "revocations of other machines known up to ") {
			t.Errorf("no staleness in\n%s", text)
		}
		if text += there.operate("status", "--json"); strings.Contains(text, openid) {
			t.Errorf("the status names a user:\n%s", text)
		}
	})
}

// loginCount returns how many logins of the last minutes succeeded.
func loginCount(f *fixture) int {
	type status struct {
		Outcomes struct {
			Calls []struct {
				Call, Outcome string
				Count         int
			}
		}
	}
	for _, c := range queried[status](f, "status").Outcomes.Calls {
		if c.Call == "login" && c.Outcome == "ok" {
			return c.Count
		}
	}
	return 0
}

// TestStatusOfABreaker: the row of an app shows that the breaker opened after failures of
// WeChat, that calls of wxgate_openapi are still made, and that it closed again.
func TestStatusOfABreaker(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	row := func() string {
		t.Helper()
		line := regexp.MustCompile(`(?m)^` + wechatsim.DefaultApp.ID + ` +wechat +(\S+) +(\S+) +-$`).FindStringSubmatch(f.operate("status"))
		if line == nil {
			t.Fatalf("no row of the app in\n%s", f.operate("status"))
		}
		return "breaker " + line[1] + ", of wxgate_openapi " + line[2]
	}
	want := func(state string) {
		t.Helper()
		if got := row(); got != "breaker "+state+", of wxgate_openapi closed" {
			t.Fatalf("%s, want %s", got, state)
		}
	}
	want("closed")
	if err := f.sim.Sim.Arm(fault.Fault{Path: "/sns/jscode2session", Kind: fault.HTTP500}); err != nil {
		t.Fatal(err)
	}
	login := func() response { return f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("alice"))) }
	const failuresInARow = 10 // the breaker opens after them
	for range failuresInARow {
		want("closed")
		login().want(t, http.StatusBadGateway, "wechat_unreadable")
	}
	want("open")
	login().want(t, http.StatusServiceUnavailable, "wechat_unreachable") // the code is not spent

	f.sim.Sim.ClearFaults()
	eventually(t, "the breaker lets a call through", func() bool { return strings.HasPrefix(row(), "breaker half-open,") })
	login().want(t, http.StatusOK, "")
	want("closed")
}

// TestStatusOfAnOutage: a store that is down is shown.
func TestStatusOfAnOutage(t *testing.T) {
	redis := startRedis(t)
	f := newSharedFixture(t, redis, "")
	f.load()
	f.login("alice")
	redis.kill()
	eventually(t, "the status shows that Redis is down", func() bool {
		out, err := f.command("status", "--address", "unix/"+f.socket())
		return err == nil && strings.Contains(out, "store redis: not ready, store_unavailable")
	})
}

// TestUserID: an operator finds the user_id of a user, and the user of a log line.
func TestUserID(t *testing.T) {
	onBothStores(t, func(t *testing.T, here, there *fixture) {
		type names struct {
			App    string `json:"app"`
			OpenID string `json:"openid"`
			UserID string `json:"user_id"`
		}
		app := wechatsim.DefaultApp.ID
		alice := here.login("alice").str(t, "openId")
		here.login("bob")
		id := queried[names](there, "user", "id", "--app", app, "--openid", alice)
		if id.UserID == "" || id.OpenID != alice {
			t.Fatalf("%+v", id)
		}
		if found := queried[names](there, "user", "id", "--log-id", id.UserID); found != id {
			t.Errorf("found %+v, want %+v", found, id)
		}
		if out := there.operate("user", "id", "--log-id", id.UserID, "--app", app); !strings.Contains(out, alice) {
			t.Errorf("the table has no openid: %s", out)
		}
		address := "unix/" + there.socket()
		there.refusedTo([]string{"user", "id", "--log-id", "nobodyknowsthis0", "--address", address}, "no user with this user_id is logged in", "404")
		there.refusedTo([]string{"user", "id", "--log-id", id.UserID, "--app", "wx7777777777777777", "--address", address}, "app is not configured")
		for _, wrong := range [][]string{{}, {"--app", app}, {"--openid", alice}, {"--app", app, "--openid", alice, "--log-id", id.UserID}} {
			there.refusedTo(append([]string{"user", "id"}, wrong...), "expected --app <appid> and --openid <openid>, or --log-id <user_id>")
		}
		here.operate("user", "logout", "--app", app, "--openid", alice)
		there.refusedTo([]string{"user", "id", "--log-id", id.UserID, "--address", address}, "404")
	})
}

// inspect runs `wxgate token inspect` with a token on standard input.
func (f *fixture) inspect(token string, flags ...string) (string, error) {
	cmd := newCommand(f.t, "token")
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetIn(strings.NewReader(token))
	cmd.SetArgs(append([]string{"inspect"}, flags...))
	err := cmd.Execute()
	return out.String(), err
}

// TestTokenInspect: the command shows the claims of a token and whether the gateway admits it.
func TestTokenInspect(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	address := "--address=unix/" + f.socket()
	login := f.login("alice")
	token := login.str(t, "access_token")
	want := func(raw, end string, texts ...string) {
		t.Helper()
		out, err := f.inspect(raw, address)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, end) {
			t.Errorf("the last line is %q, want %q", last, end)
		}
		for _, text := range texts {
			if !strings.Contains(out, text) {
				t.Errorf("no %q in\n%s", text, out)
			}
		}
	}
	want("Bearer "+token+"\n", "admitted", "EdDSA", "at+jwt", login.str(t, "openId"), ", in ", " ago")
	forged := token[:len(token)-4] + "AAAA"
	want(forged, "not admitted: invalid_token: ")
	f.operate("user", "logout", "--app", wechatsim.DefaultApp.ID, "--openid", login.str(t, "openId"))
	want(token, "not admitted: session_revoked: ")

	if out, err := f.inspect(token, address, "--json"); err != nil || !strings.Contains(out, `"reason": "session_revoked"`) {
		t.Errorf("%s, %v", out, err)
	}
	for _, wrong := range []string{"", "nonsense", "a.b.c", "e30.e30"} {
		if out, err := f.inspect(wrong, address); err == nil || wrong != "" && strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: %v, %s", wrong, err, out)
		}
	}
	out, err := f.inspect(token, address+".not")
	if err != nil || !strings.Contains(out, "not checked: no gateway was asked") || !strings.Contains(out, "the token was only decoded: no response") {
		t.Errorf("without a gateway: %s, %v", out, err)
	}
}
