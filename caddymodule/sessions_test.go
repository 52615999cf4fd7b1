package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

const iPhone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.60(0x18003c32)"

// onBothStores runs a test with a bolt store and with Redis. With bolt, here and there are the
// same gateway; with Redis, there is another replica.
func onBothStores(t *testing.T, do func(t *testing.T, here, there *fixture)) {
	onBothStoresWith(t, "", do)
}

// onBothStoresWith is onBothStores with a further line of the global block.
func onBothStoresWith(t *testing.T, option string, do func(t *testing.T, here, there *fixture)) {
	with := func(f *fixture) {
		f.config = strings.Replace(f.config, "\twxgate {\n", "\twxgate {\n\t\t"+option+"\n", 1)
	}
	t.Run("bolt", func(t *testing.T) {
		f := newOperatedFixture(t)
		with(f)
		f.load()
		do(t, f, f)
	})
	t.Run("redis", func(t *testing.T) {
		here := newSharedFixture(t, startRedis(t), "")
		with(here)
		here.load()
		do(t, here, here.replica())
	})
}

// queried runs a command with --json and returns its output.
func queried[T any](f *fixture, args ...string) (out T) {
	f.t.Helper()
	text := f.operate(append(args, "--json")...)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		f.t.Fatalf("%s: %v", text, err)
	}
	return out
}

type listedSession struct {
	Session       string `json:"session"`
	OpenID        string `json:"openid"`
	Device        string `json:"device"`
	Door          string `json:"door"`
	Login         string `json:"login"`
	LastSeen      string `json:"last_seen"`
	PhoneVerified bool   `json:"phone_verified"`
}

type listedPage struct {
	Sessions []listedSession `json:"sessions"`
	Next     string          `json:"next"`
}

// TestSessionsCommands lists the sessions, shows a session and ends it, with Redis on another
// machine.
func TestSessionsCommands(t *testing.T) {
	onBothStores(t, func(t *testing.T, here, there *fixture) {
		app := wechatsim.DefaultApp.ID
		if out := there.operate("sessions", "list"); !strings.Contains(out, "no sessions") {
			t.Errorf("before any login: %s", out)
		}
		alice := here.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, here.code("alice")), "User-Agent", iPhone)
		alice.want(t, http.StatusOK, "")
		bobs := map[string]bool{}
		for range 3 {
			bobs[here.login("bob").str(t, "openId")] = true
		}
		openid := alice.str(t, "openId")

		of := queried[listedPage](there, "sessions", "list", "--app", app, "--openid", openid)
		if len(of.Sessions) != 1 || of.Next != "" {
			t.Fatalf("alice has %+v", of)
		}
		if s := of.Sessions[0]; s.OpenID != openid || s.Device != "ios" || s.Door != "miniprogram" || s.PhoneVerified || s.LastSeen != s.Login {
			t.Errorf("listed as %+v", s)
		}
		seen := map[string]bool{}
		list := []string{"sessions", "list", "--limit", "2"}
		for page := queried[listedPage](there, list...); ; page = queried[listedPage](there, append(list, "--cursor", page.Next)...) {
			for _, s := range page.Sessions {
				if seen[s.Session] || s.OpenID != openid && !bobs[s.OpenID] {
					t.Errorf("%+v is listed twice or belongs to neither user", s)
				}
				seen[s.Session] = true
			}
			if page.Next == "" {
				break
			}
		}
		if len(seen) != 4 {
			t.Errorf("%d sessions are listed, want 4", len(seen))
		}

		id := of.Sessions[0].Session
		here.verifyPhone(t, alice)
		if shown := queried[listedSession](there, "sessions", "show", id); !shown.PhoneVerified || shown.Session != id {
			t.Errorf("shown as %+v", shown)
		}
		if out := there.operate("sessions", "end", id); !strings.Contains(out, "session "+id+" of user ") || strings.Contains(out, openid) {
			t.Errorf("the command printed %q", out)
		}
		here.refusedSoon("Bearer "+alice.str(t, "access_token"), "session_revoked")
		here.refresh(alice.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")
		here.wantCall(here.token("bob"), http.StatusOK, "")

		address := "--address=unix/" + there.socket()
		for _, verb := range []string{"end", "show"} {
			there.refusedTo([]string{"sessions", verb, id, address}, "404", "no such session")
			there.refusedTo([]string{"sessions", verb, "x", address}, "400", "not a session ID")
			there.refusedTo([]string{"sessions", verb, address}, "expected one session ID")
		}
		there.refusedTo([]string{"sessions", "list", "--openid", openid, address}, "--app")
		there.refusedTo([]string{"sessions", "list", "--app", "wx9", address}, "404", "app is not configured")
		there.refusedTo([]string{"sessions", "list", "--limit", "501", address}, "400", "limit must be 1 to 500")
		there.refusedTo([]string{"sessions", "list", "--cursor", "x", address}, "400", "the cursor does not belong to this list")
	})
}

// verifyPhone decodes a phone number in a session of alice.
func (f *fixture) verifyPhone(t *testing.T, login response) {
	t.Helper()
	sealed, err := f.sim.Sim.EncryptPhone(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, sealed.EncryptedData, sealed.IV, login.str(t, "session_key"))
	f.do("POST", pub+"/decode", body, "Authorization", "Bearer "+login.str(t, "access_token")).want(t, http.StatusOK, "")
}

type userExport struct {
	OpenID   string `json:"openid"`
	UserID   string `json:"user_id"`
	Sessions []struct {
		listedSession
		PhoneNumber string `json:"phone_number"`
	} `json:"sessions"`
	SessionKeys []struct {
		ObtainedAt string `json:"obtained_at"`
	} `json:"session_keys"`
}

// TestUserShowAndExport shows and exports what is stored about a user. The export has no
// secret with which its reader could log in or forge data.
func TestUserShowAndExport(t *testing.T) {
	onBothStores(t, func(t *testing.T, here, there *fixture) {
		app := wechatsim.DefaultApp.ID
		login := here.login("alice")
		here.verifyPhone(t, login)
		name := []string{"--app", app, "--openid", login.str(t, "openId")}
		shown := there.operate(append([]string{"user", "show"}, name...)...)
		for _, want := range []string{`sessions +1`, `session keys +1`, `logged out everywhere +-`, `miniprogram +yes`} {
			if !regexp.MustCompile(want).MatchString(shown) {
				t.Errorf("%s is not in\n%s", want, shown)
			}
		}
		text := there.operate(append([]string{"user", "export"}, name...)...)
		key, err := here.sim.Sim.SessionKey(wechatsim.User{Name: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		for what, secret := range map[string]string{
			"session_key": key, "handle": login.str(t, "session_key"), "access token": login.str(t, "access_token"), "refresh token": login.str(t, "refresh_token"),
		} {
			if strings.Contains(text, secret) {
				t.Errorf("the export has the %s", what)
			}
		}
		var out userExport
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatal(err)
		}
		if len(out.Sessions) != 1 || out.OpenID != login.str(t, "openId") || out.Sessions[0].PhoneNumber == "" || !out.Sessions[0].PhoneVerified || len(out.SessionKeys) != 1 || out.SessionKeys[0].ObtainedAt == "" {
			t.Errorf("%s", text)
		}
		here.operate(append([]string{"user", "logout"}, name...)...)
		if out := queried[userExport](there, append([]string{"user", "export"}, name...)...); len(out.Sessions)+len(out.SessionKeys) != 0 {
			t.Errorf("after a logout: %+v", out)
		}
		unknown := []string{"--app", app, "--openid", "unknown", "--address=unix/" + there.socket()}
		there.refusedTo(append([]string{"user", "show"}, unknown...), "404", "nothing is stored about this user")
		there.refusedTo(append([]string{"user", "export"}, unknown...), "404", "nothing is stored about this user")
	})
}
