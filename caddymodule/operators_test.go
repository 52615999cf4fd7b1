package caddymodule_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// TestUserLogout ends every session of one user with the command.
func TestUserLogout(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	one, two, bob := f.login("alice"), f.login("alice"), f.token("bob")
	alice := one.str(t, "openId")
	if out := f.operate("user", "logout", "--app", wechatsim.DefaultApp.ID, "--openid", alice); !strings.Contains(out, "ended") {
		t.Errorf("the command printed %q", out)
	}
	for _, login := range []response{one, two} {
		f.wantCall(login.str(t, "access_token"), http.StatusUnauthorized, "session_revoked")
		f.refresh(login.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")
	}
	f.wantCall(bob, http.StatusOK, "")
	f.wantCall(f.token("alice"), http.StatusOK, "")

	address := "unix/" + f.socket()
	f.refusedTo([]string{"user", "logout", "--openid", alice, "--address", address}, "--app")
	f.refusedTo([]string{"user", "logout", "--app", "a b", "--openid", alice, "--address", address}, "400", "app and openid")
}

// TestUserErase erases one user with the command, which prints a receipt.
func TestUserErase(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	one, two, bob := f.login("alice"), f.login("alice"), f.token("bob")
	alice := []string{"--app", wechatsim.DefaultApp.ID, "--openid", one.str(t, "openId")}
	out := f.operate(append([]string{"user", "erase"}, alice...)...)
	for _, want := range []string{"erased\n", "sessions deleted:             2\n", "keys deleted:  2\n", "refused until:  20", "- Redis: its AOF"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	for _, login := range []response{one, two} {
		f.wantCall(login.str(t, "access_token"), http.StatusUnauthorized, "session_revoked")
		f.refresh(login.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")
	}
	f.wantCall(bob, http.StatusOK, "")

	again := f.operate(append([]string{"user", "erase", "--json"}, alice...)...)
	for _, want := range []string{`"found": false`, `"sessions": 0`, `"session_keys": 0`, `"tokens_refused_until": "20`} {
		if !strings.Contains(again, want) {
			t.Errorf("%s is missing in\n%s", want, again)
		}
	}
	if out := f.operate(append([]string{"user", "erase"}, alice...)...); !strings.HasPrefix(out, "nothing was stored of this user\n") {
		t.Errorf("the third time: %s", out)
	}
	f.wantCall(f.token("alice"), http.StatusOK, "")
	f.refusedTo([]string{"user", "erase", "--app", "wx0123456789abcdef", "--openid", "o", "--address", "unix/" + f.socket()}, "404", "not configured")
}

// TestSessionKeyCommands checks and replaces WeChat's session_key of a user. The check deletes a
// key that WeChat no longer accepts.
func TestSessionKeyCommands(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	user := wechatsim.User{Name: "alice"}
	login := f.login("alice")
	name := []string{"--app", wechatsim.DefaultApp.ID, "--openid", login.str(t, "openId")}
	decode := func() response {
		sealed, err := f.sim.Sim.EncryptPhone(user, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
		if err != nil {
			t.Fatal(err)
		}
		return f.do("POST", pub+"/decode", fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, sealed.EncryptedData, sealed.IV, login.str(t, "session_key")))
	}
	f.operate(append([]string{"session-key", "check"}, name...)...)
	before, err := f.sim.Sim.SessionKey(user)
	if err != nil {
		t.Fatal(err)
	}
	f.operate(append([]string{"session-key", "reset"}, name...)...)
	if after, err := f.sim.Sim.SessionKey(user); err != nil || after == before {
		t.Errorf("WeChat's key was not replaced: %v", err)
	}
	decode().want(t, http.StatusOK, "")

	sealed, err := f.sim.Sim.EncryptPhone(user, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.sim.Sim.DropSessionKey(user); err != nil {
		t.Fatal(err)
	}
	stale := append([]string{"session-key", "check", "--address", "unix/" + f.socket()}, name...)
	f.refusedTo(stale, "401", "session key stale")
	f.refusedTo(stale, "401", "no session key is kept") // the first check deleted it
	body := fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, sealed.EncryptedData, sealed.IV, login.str(t, "session_key"))
	f.do("POST", pub+"/decode", body).want(t, http.StatusUnauthorized, "session_stale")
	f.wantCall(login.str(t, "access_token"), http.StatusOK, "") // the session has not ended
	login = f.login("alice")
	decode().want(t, http.StatusOK, "")
}

// TestAdminRoutes: the admin API lists its calls, and refuses other paths and methods.
func TestAdminRoutes(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	list := adminGet(t, f.socket(), "/wxgate/")
	for _, want := range []string{"/wxgate/keys", "/wxgate/keys/rotate", "/wxgate/keys/retire", "/wxgate/user/logout", "/wxgate/user/erase", "/wxgate/session-key/check", "/wxgate/session-key/reset"} {
		if !strings.Contains(list, `"path":"`+want+`"`) {
			t.Errorf("%s is not listed: %s", want, list)
		}
	}
	for _, test := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/wxgate/nothing", "", http.StatusNotFound},
		{"GET", "/wxgate/keys/rotate", "", http.StatusMethodNotAllowed},
		{"POST", "/wxgate/keys", "{}", http.StatusMethodNotAllowed},
		{"POST", "/wxgate/keys/rotate", `{"immediate":`, http.StatusBadRequest},
		{"POST", "/wxgate/keys/rotate", `{"imediate":true}`, http.StatusBadRequest},
		{"POST", "/wxgate/user/logout", `{"app":"wx0000000000000001"}`, http.StatusBadRequest},
		{"POST", "/wxgate/keys/rotate", "", http.StatusOK},
	} {
		if got := f.adminStatus(test.method, test.path, test.body); got != test.status {
			t.Errorf("%s %s %s: %d, want %d", test.method, test.path, test.body, got, test.status)
		}
	}
}

func (f *fixture) adminStatus(method, path, body string) int {
	f.t.Helper()
	response, _ := f.admin(method, path, body)
	return response.StatusCode
}

// admin calls the admin API and returns the response, whose body was read.
func (f *fixture) admin(method, path, body string) (*http.Response, []byte) {
	f.t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", f.socket())
	}}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return response, text
}

// TestStoreCommands checks and compacts the file of a stopped gateway. If a gateway runs or the
// file is damaged, the error contains advice.
func TestStoreCommands(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	login := f.login("alice")
	for i := range 30 {
		f.login(fmt.Sprint("user", i))
	}
	for _, verb := range []string{"check", "compact"} {
		f.refusedTo([]string{"store", verb, f.databasePath()}, "in use", "stop that one")
	}
	f.stop()

	out, err := f.command("store", "check", f.databasePath())
	if err != nil || !strings.Contains(out, "31 sessions of 31 users") {
		t.Errorf("store check: %q, %v", out, err)
	}
	if out, err = f.command("store", "compact", f.databasePath()); err != nil || !regexp.MustCompile(`\d+ bytes before, \d+ after`).MatchString(out) {
		t.Errorf("store compact: %q, %v", out, err)
	}
	f.load()
	f.wantCall(login.str(t, "access_token"), http.StatusOK, "")
	f.refresh(login.str(t, "refresh_token")).want(t, http.StatusOK, "")
	f.stop()

	f.damage()
	for _, verb := range []string{"check", "compact"} {
		f.refusedTo([]string{"store", verb, f.databasePath()}, "damaged", "restore it")
	}
	f.refusedTo([]string{"store", "check", f.databasePath() + ".not"}, "no such file")
}

// damage overwrites the pages of the file, except the first two, which bbolt itself checks.
func (f *fixture) damage() {
	f.t.Helper()
	text, err := os.ReadFile(f.databasePath())
	if err != nil {
		f.t.Fatal(err)
	}
	pages := 2 * os.Getpagesize()
	copy(text[pages:], bytes.Repeat([]byte("not a page "), len(text)/len("not a page ")))
	if err := os.WriteFile(f.databasePath(), text, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// TestStartErrors: a start with a file that cannot be used fails, with an error that contains
// advice, and does not affect the running configuration.
func TestStartErrors(t *testing.T) {
	f := newOperatedFixture(t)
	other, err := bolt.Open(f.databasePath(), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.wantLoadError("in use", "stop that one", f.databasePath())
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	f.load()
	f.stop()
	f.damage()
	f.wantLoadError("damaged", "restore it from a backup", f.databasePath())
	if err := os.WriteFile(f.databasePath(), []byte("this is not a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.wantLoadError("damaged", "move it away")
	if err := os.Rename(f.databasePath(), f.databasePath()+".damaged"); err != nil {
		t.Fatal(err)
	}
	f.load()
	token := f.token("alice")

	// A reload with a damaged file fails, and the running configuration remains.
	good := f.config
	f.config = strings.Replace(good, "wxgate.db", "wxgate.db.damaged", 1)
	f.wantLoadError("damaged", "wxgate.db.damaged")
	f.wantCall(token, http.StatusOK, "")
	f.config = good
}

// wantLoadError fails the test unless loading fails with an error that contains each of want.
func (f *fixture) wantLoadError(want ...string) {
	f.t.Helper()
	err := f.tryLoad()
	if err == nil {
		f.t.Fatal("the configuration was loaded")
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			f.t.Errorf("%q does not contain %q", err, w)
		}
	}
	parts := strings.Split(err.Error(), ": ")
	if len(slices.Compact(slices.Clone(parts))) != len(parts) {
		f.t.Errorf("the error repeats itself: %v", err)
	}
}

// TestCountersSurviveReloads: counters do not restart after a reload, although each configuration
// has a new registry.
func TestCountersSurviveReloads(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	token := f.token("alice")
	count := func() int {
		t.Helper()
		metrics := f.do("GET", "/metrics", "").body
		found := regexp.MustCompile(`(?m)^wxgate_requests_total\{outcome="admitted"\} (\d+)$`).FindStringSubmatch(metrics)
		if found == nil {
			t.Fatalf("no count of admitted requests in %s", metrics)
		}
		var n int
		_, _ = fmt.Sscan(found[1], &n)
		return n
	}
	f.wantCall(token, http.StatusOK, "")
	first := count()
	for i := range 3 {
		f.config = operated("", fmt.Sprintf("issuer number%d", i))
		f.load()
		f.wantCall(token, http.StatusOK, "")
		if got, want := count(), first+i+1; got != want {
			t.Errorf("after reload %d: %d requests, want %d", i+1, got, want)
		}
	}
}
