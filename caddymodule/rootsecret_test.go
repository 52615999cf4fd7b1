package caddymodule_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// phoneData decodes alice's phone number with a handle.
func (f *fixture) phoneData(handle string) response {
	f.t.Helper()
	sealed, err := f.sim.Sim.EncryptPhone(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
	if err != nil {
		f.t.Fatal(err)
	}
	return f.do("POST", pub+"/decode", fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, sealed.EncryptedData, sealed.IV, handle))
}

// TestRootSecretRotation follows the procedure of docs/sessions.md. With `secret <new> <old>`,
// everything remains valid. When the old secret is removed, data that was written since then
// remains, and other data is lost as the page describes.
func TestRootSecretRotation(t *testing.T) {
	f := newOperatedFixture(t)
	t.Setenv("WXGATE_TEST_OLD", strings.Repeat("old!", 8))
	t.Setenv("WXGATE_TEST_NEW", strings.Repeat("new!", 8))
	configure := func(secrets string) { f.config = operated("secret "+secrets, "issuer wxgate") }
	configure("{env.WXGATE_TEST_OLD}")
	f.load()
	idle := f.login("idle")
	out := f.token("mallory")
	f.do("POST", pub+"/logout", "", "Authorization", "Bearer "+out).want(t, http.StatusNoContent, "")
	alice := f.login("alice")
	signing := f.keyIn("signing")

	// With only the new secret, the start fails with advice, and nothing is lost.
	configure("{env.WXGATE_TEST_NEW}")
	f.stop()
	f.wantLoadError("sealed with another root secret", "secret <new> <old>")

	configure("{env.WXGATE_TEST_NEW} {env.WXGATE_TEST_OLD}")
	f.load()
	if f.keyIn("signing") != signing {
		t.Error("the signing key was replaced")
	}
	f.wantCall(alice.str(t, "access_token"), http.StatusOK, "")
	f.wantCall(out, http.StatusUnauthorized, "session_revoked")
	f.phoneData(alice.str(t, "session_key")).want(t, http.StatusOK, "")
	fresh := f.refresh(alice.str(t, "refresh_token")) // a write: seals anew
	fresh.want(t, http.StatusOK, "")
	young := f.login("carol")

	configure("{env.WXGATE_TEST_NEW}")
	f.stop()
	f.load()
	if f.keyIn("signing") != signing {
		t.Error("the signing key was not sealed anew")
	}
	for _, token := range []string{alice.str(t, "access_token"), idle.str(t, "access_token"), fresh.str(t, "access_token"), young.str(t, "access_token")} {
		f.wantCall(token, http.StatusOK, "")
	}
	f.wantCall(out, http.StatusUnauthorized, "session_revoked")
	f.refresh(fresh.str(t, "refresh_token")).want(t, http.StatusOK, "")
	f.refresh(young.str(t, "refresh_token")).want(t, http.StatusOK, "")
	// Data that was not written in between is lost: the client logs in again.
	f.refresh(idle.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")
	f.phoneData(alice.str(t, "session_key")).want(t, http.StatusUnauthorized, "session_stale")
	f.phoneData(f.login("alice").str(t, "session_key")).want(t, http.StatusOK, "")
	f.login("idle")
}

// TestGeneratedSecretRotation rotates a secret that the gateway generated: a configuration
// can name its file as the old secret.
func TestGeneratedSecretRotation(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	alice := f.login("alice")
	f.stop()
	generated := filepath.Join(f.dir, "caddy", "wxgate", "root_secret")
	text, err := os.ReadFile(generated)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(text)) != string(text) || strings.ContainsFunc(string(text), func(r rune) bool { return r < '!' || r > '~' }) {
		t.Fatal("the generated secret is not one line of printable text, so a configuration cannot name its file")
	}
	t.Setenv("WXGATE_TEST_NEW", strings.Repeat("new!", 8))
	f.config = operated("secret {env.WXGATE_TEST_NEW} {file."+generated+"}", "issuer wxgate")
	f.load()
	f.wantCall(alice.str(t, "access_token"), http.StatusOK, "")
	f.phoneData(alice.str(t, "session_key")).want(t, http.StatusOK, "")
	f.refresh(alice.str(t, "refresh_token")).want(t, http.StatusOK, "")
}
