package caddymodule_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

type mintedToken struct {
	App          string `json:"app"`
	OpenID       string `json:"openid"`
	Session      string `json:"session"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
}

// mintFor is the command that mints a token for the user o-dev of the default app.
var mintFor = []string{"token", "mint", "--app", wechatsim.DefaultApp.ID, "--openid", "o-dev"}

// devLine matches the line of the claim dev in the output of `wxgate token inspect`.
var devLine = regexp.MustCompile(`(?m)^claims +dev +true$`)

// claimed reports whether a claim is true.
func claimed(claims map[string]any, name string) bool {
	claim, _ := claims[name].(bool)
	return claim
}

// TestMint uses a minted session for a request, a refresh, a phone number and a logout. With
// store redis, another machine mints it.
func TestMint(t *testing.T) {
	onBothStoresWith(t, "dev_mode", func(t *testing.T, here, there *fixture) {
		alice := here.login("alice")
		openid := alice.str(t, "openId")
		minted := queried[mintedToken](there, "token", "mint", "--app", wechatsim.DefaultApp.ID, "--openid", openid)
		if minted.App != wechatsim.DefaultApp.ID || minted.OpenID != openid {
			t.Errorf("%+v", minted)
		}
		wantDev := func(access string) {
			t.Helper()
			here.wantCall(access, http.StatusOK, "")
			if got := here.upstream.last(t).Header.Get("X-WX-OPENID"); got != openid {
				t.Errorf("the upstream got the openid %q", got)
			}
			if claims := claimsOf(t, access); !claimed(claims, "dev") || claims["sub"] != openid || claims["sid"] != minted.Session {
				t.Errorf("claims %v", claims)
			}
			out, err := here.inspect(access, "--address=unix/"+here.socket())
			if err != nil || !devLine.MatchString(out) || !strings.HasSuffix(out, "admitted\n") {
				t.Errorf("token inspect: %v\n%s", err, out)
			}
		}
		wantDev(minted.AccessToken)
		if out := here.operate("sessions", "show", "--", minted.Session); !strings.Contains(out, "  minted  no\n") {
			t.Errorf("the session is shown as\n%s", out)
		}

		refreshed := here.refresh(minted.RefreshToken)
		refreshed.want(t, http.StatusOK, "")
		access := refreshed.str(t, "access_token")
		wantDev(access)
		code, err := here.sim.Sim.MintPhoneCode(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{})
		if err != nil {
			t.Fatal(err)
		}
		decoded := here.do("POST", pub+"/decode", fmt.Sprintf(`{"code":%q}`, code.Code), "Authorization", "Bearer "+access)
		decoded.want(t, http.StatusOK, "")
		access = decoded.str(t, "access_token")
		wantDev(access)
		if claims := claimsOf(t, access); !claimed(claims, "phone_number_verified") {
			t.Errorf("claims %v", claims)
		}
		here.do("POST", pub+"/logout", "", "Authorization", "Bearer "+access).want(t, http.StatusNoContent, "")
		here.wantCall(access, http.StatusUnauthorized, "session_revoked")
		there.refusedSoon("Bearer "+minted.AccessToken, "session_revoked")
		here.refresh(refreshed.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")
		here.wantCall(alice.str(t, "access_token"), http.StatusOK, "")
		if dev, has := claimsOf(t, alice.str(t, "access_token"))["dev"]; has {
			t.Errorf("dev of a login is %v", dev)
		}
	})
}

// TestMintRefused: without dev_mode the command is refused, and so are sessions that were minted
// before dev_mode was removed.
func TestMintRefused(t *testing.T) {
	f := newOperatedFixture(t)
	address := "--address=unix/" + f.socket()
	f.load()
	f.refusedTo(append(mintFor, address), "403", "token mint requires the option dev_mode in the global wxgate block")
	if out := f.operate("sessions", "list"); out != "no sessions\n" {
		t.Errorf("a refused call began a session: %s", out)
	}
	plain := f.config
	f.config = operated("dev_mode", "issuer wxgate")
	f.load()
	f.refusedTo([]string{"token", "mint", "--app", "wx7777777777777777", "--openid", "o-dev", address}, "404", "app is not configured")
	f.refusedTo([]string{"token", "mint", "--app", wechatsim.DefaultApp.ID, "--openid", "a b", address}, "400", "app and openid are required")
	f.refusedTo([]string{"token", "mint", "--openid", "o-dev", address}, "--app <appid> and --openid <openid> are required")
	minted := queried[mintedToken](f, mintFor...)
	f.wantCall(minted.AccessToken, http.StatusOK, "")

	f.config = plain
	f.load()
	f.wantCall(minted.AccessToken, http.StatusUnauthorized, "session_revoked")
	f.refresh(minted.RefreshToken).want(t, http.StatusUnauthorized, "session_revoked")
	if out, err := f.inspect(minted.AccessToken, address); err != nil || !strings.Contains(out, "not admitted: session_revoked: session revoked: it was minted, and dev_mode is off\n") {
		t.Errorf("%v\n%s", err, out)
	}
	f.wantCall(f.token("alice"), http.StatusOK, "")
}

// TestMintPrints: the command prints the access token alone in a pipe, and a table on a
// terminal.
func TestMintPrints(t *testing.T) {
	f := newOperatedFixture(t)
	f.config = operated("dev_mode", "issuer wxgate")
	f.load()
	out := f.operate(mintFor...)
	token, rest, ok := strings.Cut(out, "\n")
	if !ok || rest != "" {
		t.Fatalf("in a pipe it printed %q", out)
	}
	f.wantCall(token, http.StatusOK, "")

	terminal, screen := openTerminal(t)
	cmd := newCommand(t, "token")
	cmd.SetOut(terminal)
	cmd.SetArgs(append(mintFor[1:], "--address=unix/"+f.socket()))
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	shown := screen()
	for _, want := range []string{"FIELD", "openid", "o-dev", "access token", "eyJ", "refresh token", "wxr_"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q on the terminal:\n%s", want, shown)
		}
	}
}

// TestDevModeLoads: dev_mode is refused if an API is not on loopback, with an error that names the
// app's line, but allowed with insecure. A load with dev_mode logs one warning.
func TestDevModeLoads(t *testing.T) {
	api := func(url string) string { return goodApp + " {\n api " + url + "\n}\ndev_mode" }
	const refused = "app wx1111111111111111: dev_mode requires an api on loopback, such as api http://127.0.0.1:9901; remove dev_mode, or allow minted tokens beside real users with dev_mode insecure, at Caddyfile:12"
	for global, want := range map[string]string{
		api("http://127.0.0.1:9901"):          "",
		api("http://[::1]:9901"):              "",
		api("http://[::ffff:127.0.0.1]:9901"): "",
		api("http://localhost"):               "",
		api("http://10.1.2.3"):                refused,
		api("http://sim:9901"):                refused,
		api("http://dev.localhost"):           refused,
		api("https://api.weixin.qq.com"):      refused,
		goodApp + "\ndev_mode":                refused,
		goodApp + "\ndev_mode insecure":       "",
		api("http://127.0.0.1") + "\napp wx2222222222222222 {env.WXGATE_TEST_SECRET}": "app wx2222222222222222: dev_mode requires an api on loopback, such as",
	} {
		l := newLoadTest(t)
		log, err := l.validate(global, "")
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nwant %q, got: %v", global, want, err)
		}
		if n := strings.Count(log, "INSECURE: dev_mode lets operators mint tokens of any user"); err == nil && n != 1 {
			t.Errorf("%s\n%d warnings, want 1:\n%s", global, n, log)
		}
	}
	l := newLoadTest(t)
	text := fmt.Sprintf(`{"admin":{"disabled":true},"apps":{"wxgate":{"apps":[{"appid":"wx1111111111111111","secret":"{env.WXGATE_TEST_SECRET}"}],"dev_mode":"yes","store":{"path":%q}}}}`, filepath.Join(l.dir, "db"))
	if _, err := l.validateJSON([]byte(text)); err == nil || !strings.Contains(err.Error(), `unrecognized dev_mode "yes"; expected one of: loopback, insecure`) {
		t.Errorf("another value in JSON: %v", err)
	}
}
