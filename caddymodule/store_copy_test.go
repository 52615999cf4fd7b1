package caddymodule_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// copyConfig writes the fixture's configuration to a file for --config.
func (f *fixture) copyConfig() string {
	f.t.Helper()
	path := filepath.Join(f.dir, "Caddyfile")
	if err := os.WriteFile(path, f.caddyfile(), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

func (f *fixture) copyStore(from, to string, want ...string) {
	f.t.Helper()
	out, err := f.command("store", "copy", "--config", f.copyConfig(), "--adapter", "caddyfile", from, to)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			f.t.Errorf("the output %q does not contain %q", out, w)
		}
	}
}

// TestStoreCopy moves a gateway with a generated root secret from its file to Redis and back:
// sessions remain valid, revoked sessions remain revoked, and the clients' tokens and handles
// remain valid throughout.
func TestStoreCopy(t *testing.T) {
	redis := startRedis(t)
	f := newSharedFixture(t, redis, "")
	many := strings.Replace(f.config, "\t\tsecret {env.WXGATE_TEST_ROOT}\n", "", 1)
	one := strings.Replace(shared("bolt {{.Dir}}/wxgate.db", ""), "\t\tsecret {env.WXGATE_TEST_ROOT}\n", "", 1)
	f.config = one
	f.load()
	alice, bob := f.login("alice"), f.login("bob")
	out := f.login("mallory")
	f.do("POST", pub+"/logout", "", "Authorization", "Bearer "+out.str(t, "access_token")).want(t, http.StatusNoContent, "")
	f.refusedTo([]string{"store", "copy", "--config", f.copyConfig(), "bolt:" + f.databasePath(), "redis://" + redis.addr}, "in use", "stop that one")
	f.stop()

	// A copy can be repeated.
	f.copyStore("bolt:", "redis:redis://"+redis.addr, "2 sessions", "2 users", "1 revocation", "1 new signing key", redis.addr)
	f.copyStore("bolt:"+f.databasePath(), "redis://"+redis.addr, "2 sessions", "0 new signing keys", "the queues of events_to and of pushes are not copied")

	f.config = many
	f.load()
	f.wantCall(alice.str(t, "access_token"), http.StatusOK, "")
	f.wantCall(out.str(t, "access_token"), http.StatusUnauthorized, "session_revoked")
	f.refresh(out.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")
	f.phoneData(alice.str(t, "session_key")).want(t, http.StatusOK, "")
	fresh := f.refresh(alice.str(t, "refresh_token"))
	fresh.want(t, http.StatusOK, "")
	f.operate("keys", "retire", "--", f.keyIn("signing"))
	f.do("POST", pub+"/logout", "", "Authorization", "Bearer "+f.refresh(bob.str(t, "refresh_token")).str(t, "access_token")).want(t, http.StatusNoContent, "")
	carol := f.login("carol")
	signing := f.keyIn("signing")
	f.stop()

	// And back, over the old file.
	f.copyStore("redis:", "bolt:"+f.databasePath(), "2 sessions", "1 new signing key")
	f.config = one
	f.load()
	if now := f.keyIn("signing"); now != signing {
		t.Errorf("%s signs, with Redis it was %s: %v", now, signing, f.keys())
	}
	for id, state := range f.keys() {
		if id != signing && state != "retired" {
			t.Errorf("the earlier key %s is %s", id, state)
		}
	}
	f.wantCall(carol.str(t, "access_token"), http.StatusOK, "")
	f.wantCall(alice.str(t, "access_token"), http.StatusUnauthorized, "invalid_token") // its key was retired
	again := f.refresh(fresh.str(t, "refresh_token"))
	again.want(t, http.StatusOK, "")
	f.wantCall(again.str(t, "access_token"), http.StatusOK, "")
	f.refresh(bob.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")
	f.phoneData(carol.str(t, "session_key")).want(t, http.StatusBadRequest, "decrypt_failed") // alice's data
}

// TestStoreCopyErrors: the error says what is missing, and shows no password.
func TestStoreCopyErrors(t *testing.T) {
	redis := startRedis(t)
	f := newSharedFixture(t, redis, "")
	config := []string{"store", "copy", "--config", f.copyConfig(), "--adapter", "caddyfile"}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no configuration":  {[]string{"store", "copy", "bolt:", "redis:"}, "--config"},
		"another kind":      {append(config, "memory:", "redis:"), "bolt:[<path>]"},
		"no such file":      {append(config, "bolt:"+f.databasePath(), "redis:"), "no such file"},
		"not a URL":         {append(config, "redis:", "redis:http://localhost"), "invalid URL; expected redis://"},
		"no server":         {append(config, "redis:redis://wxgate:hunter2hunter2@"+freeAddr(t), "bolt:"), "check that it is running"},
		"one argument":      {append(config, "bolt:"), "accepts 2 arg(s)"},
		"unknown directory": {append(config, "redis:", "bolt:/dev/null/wxgate.db"), "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			f.refusedTo(test.args, test.want)
			if _, err := f.command(test.args...); strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}
