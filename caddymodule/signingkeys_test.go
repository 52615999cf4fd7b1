package caddymodule_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// operatedSite has the admin API on a socket, for operators' commands. GLOBAL and TOKEN stand
// for further lines of the global block and of its token block.
const operatedSite = `
{
	admin unix/{{.Dir}}/admin.sock
	persist_config off
	storage file_system {{.Dir}}/caddy
	metrics
	wxgate {
		app wx0000000000000001 {env.WXGATE_TEST_SECRET} {
			api {{.API}}
		}
		store bolt {{.Dir}}/wxgate.db
		GLOBAL
		token {
			issuer wxgate
			TOKEN
		}
	}
}
http://{{.Addr}} {
	metrics /metrics
	wxgate {
		public /metrics
	}
	reverse_proxy {{.Upstream}}
}
`

// operated is operatedSite with lines for GLOBAL and TOKEN.
func operated(global, token string) string {
	return strings.NewReplacer("GLOBAL", global, "\t\t\tissuer wxgate\n\t\t\tTOKEN", "\t\t\t"+token).Replace(operatedSite)
}

// newOperatedFixture uses a directory with a short path, because the path of a socket may have
// only about 100 bytes.
func newOperatedFixture(t *testing.T) *fixture {
	t.Helper()
	dir, err := os.MkdirTemp("", "wx") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	f := newStoppedFixture(t, simConfig(), operated("", "issuer wxgate"))
	f.dir = dir
	return f
}

func (f *fixture) socket() string { return filepath.Join(f.dir, "admin.sock") }

// command runs a command of wxgate: args are its name and its arguments.
func (f *fixture) command(args ...string) (string, error) {
	f.t.Helper()
	cmd := newCommand(f.t, args[0])
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args[1:])
	err := cmd.Execute()
	return out.String(), err
}

// operate runs a command against the running gateway; it must succeed.
func (f *fixture) operate(args ...string) string {
	f.t.Helper()
	out, err := f.command(slices.Insert(args, 1, "--address=unix/"+f.socket())...)
	if err != nil {
		f.t.Fatalf("wxgate %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// refusedTo runs a command that must fail with an error that contains each text of want.
func (f *fixture) refusedTo(args []string, want ...string) {
	f.t.Helper()
	_, err := f.command(args...)
	if err == nil {
		f.t.Errorf("wxgate %s succeeded", strings.Join(args, " "))
		return
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			f.t.Errorf("wxgate %s: error %q does not contain %q", strings.Join(args, " "), err, w)
		}
	}
}

// keys runs `wxgate keys list` and returns the state of each key by its ID.
func (f *fixture) keys() map[string]string {
	f.t.Helper()
	states := make(map[string]string)
	for i, line := range strings.Split(strings.TrimSpace(f.operate("keys", "list")), "\n") {
		if fields := strings.Fields(line); i > 0 {
			states[fields[0]] = fields[2]
		}
	}
	return states
}

// keyIn returns the ID of the only key in this state.
func (f *fixture) keyIn(state string) string {
	f.t.Helper()
	found := ""
	for id, s := range f.keys() {
		if s == state {
			found += id
		}
	}
	if found == "" {
		f.t.Fatalf("no key is in state %s: %v", state, f.keys())
	}
	return found
}

// published returns the published key set.
func (f *fixture) published() string { return f.do("GET", "/.well-known/jwks.json", "").body }

// signedBy returns the kid of a token.
func signedBy(t *testing.T, token string) string {
	t.Helper()
	head, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var header struct {
		Kid string `json:"kid"`
	}
	if err := json.Unmarshal(text, &header); err != nil {
		t.Fatal(err)
	}
	return header.Kid
}

func (f *fixture) wantCall(token string, status int, code string) {
	f.t.Helper()
	f.do("GET", "/x", "", "Authorization", "Bearer "+token).want(f.t, status, code)
}

// TestKeysRotate publishes the next key before it signs, and with --immediate makes it sign at
// once. Tokens of the old key remain valid, also after a restart.
func TestKeysRotate(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	old := f.token("alice")
	first := f.keyIn("signing")
	if signedBy(t, old) != first {
		t.Fatalf("the token is signed by %s, the signing key is %s", signedBy(t, old), first)
	}

	f.operate("keys", "rotate")
	next := f.keyIn("next")
	if !strings.Contains(f.published(), next) {
		t.Error("the next key is not published")
	}
	if by := signedBy(t, f.token("alice")); by != first {
		t.Errorf("%s signs already, although verifiers have had no time to fetch it", by)
	}
	if f.operate("keys", "rotate"); f.keyIn("next") != next {
		t.Error("a second rotation made a third key")
	}

	f.operate("keys", "rotate", "--immediate")
	young := f.token("alice")
	if signedBy(t, young) != next || f.keyIn("signing") != next || f.keyIn("verifying") != first {
		t.Errorf("after --immediate: %v, a new token is signed by %s", f.keys(), signedBy(t, young))
	}
	for _, token := range []string{old, young} {
		f.wantCall(token, http.StatusOK, "")
	}
	before := f.operate("keys", "list")
	f.stop()
	f.load()
	if after := f.operate("keys", "list"); after != before {
		t.Errorf("after a restart:\n%sbefore:\n%s", after, before)
	}
	for _, token := range []string{old, young} {
		f.wantCall(token, http.StatusOK, "")
	}
}

// TestKeysRetire refuses every token that a leaked key signed: at once, although the token is
// cached, also on an open stream and after a restart. The users are not logged out: their
// clients refresh.
func TestKeysRetire(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	f.upstream.respondWith(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			streamUpstream(w, r)
		}
	})
	login := f.login("alice")
	token := login.str(t, "access_token")
	f.wantCall(token, http.StatusOK, "") // which caches it
	socket := f.openWebSocket(t, "Bearer "+token)
	leaked := f.keyIn("signing")

	f.operate("keys", "retire", "--", leaked)
	f.wantCall(token, http.StatusUnauthorized, "invalid_token")
	select {
	case <-socket:
	case <-time.After(streamEndsWithin):
		t.Error("a stream outlived its key")
	}
	if strings.Contains(f.published(), leaked) {
		t.Error("the retired key is still published")
	}
	fresh := f.refresh(login.str(t, "refresh_token"))
	fresh.want(t, http.StatusOK, "")
	f.wantCall(fresh.str(t, "access_token"), http.StatusOK, "")
	f.stop()
	f.load()
	f.wantCall(token, http.StatusUnauthorized, "invalid_token")
	f.wantCall(fresh.str(t, "access_token"), http.StatusOK, "")

	address := []string{"--address", "unix/" + f.socket()}
	f.refusedTo(append(append([]string{"keys", "retire"}, address...), "--", leaked), "404", leaked)
	f.refusedTo(append([]string{"keys", "retire", "nonsense"}, address...), "404")
	f.refusedTo([]string{"keys", "list", "--address", "unix/" + f.socket() + ".not"}, "check that wxgate is running")
}

// TestKeysConfigured uses a key that the operator configured: the command does not rotate it,
// and once it is retired, a configuration with it is refused.
func TestKeysConfigured(t *testing.T) {
	f := newOperatedFixture(t)
	t.Setenv("WXGATE_TEST_KEY", pemKey(t, "EdDSA"))
	f.config = operated("", "key {env.WXGATE_TEST_KEY}")
	f.load()
	login := f.login("alice")
	configured := f.keyIn("signing")
	address := []string{"--address", "unix/" + f.socket()}
	f.refusedTo(append([]string{"keys", "rotate"}, address...), "409", "configur")
	f.operate("keys", "retire", "--", configured)
	f.wantCall(login.str(t, "access_token"), http.StatusUnauthorized, "invalid_token")
	if err := f.tryLoad(); err == nil || !strings.Contains(err.Error(), configured) {
		t.Errorf("a configuration with the retired key: %v", err)
	}
	f.config = operated("", "issuer wxgate")
	f.load()
	f.refresh(login.str(t, "refresh_token")).want(t, http.StatusOK, "")
}

// TestReconfigureKeepsSessions changes the options of tokens one after the other, by reload
// and by restart: every earlier token remains valid.
func TestReconfigureKeepsSessions(t *testing.T) {
	f := newOperatedFixture(t)
	t.Setenv("WXGATE_TEST_KEY", pemKey(t, "EdDSA"))
	t.Setenv("WXGATE_TEST_OTHER_KEY", pemKey(t, "ES256"))
	t.Setenv("WXGATE_TEST_HMAC", strings.Repeat("k", 32))
	f.load()
	type issued struct{ option, access, refresh string }
	var all []issued
	for _, option := range []string{
		"issuer wxgate", "issuer elsewhere", "audience a b", "alg ES256", "alg RS256", "alg HS256", "key {env.WXGATE_TEST_KEY}",
		"alg ES256\n\t\t\tkey {env.WXGATE_TEST_OTHER_KEY}", "alg HS256\n\t\t\tkey {env.WXGATE_TEST_HMAC}", "access 5m", "issuer wxgate",
	} {
		f.config = operated("", option)
		if len(all)%3 == 2 {
			f.stop()
		}
		f.load()
		login := f.login("alice")
		all = append(all, issued{option, login.str(t, "access_token"), login.str(t, "refresh_token")})
		for i, earlier := range all {
			if a := f.do("GET", "/x", "", "Authorization", "Bearer "+earlier.access); a.status != http.StatusOK {
				t.Errorf("with %q, a token issued with %q: %d %s", option, earlier.option, a.status, a.body)
			}
			fresh := f.refresh(earlier.refresh)
			fresh.want(t, http.StatusOK, "")
			all[i].refresh = fresh.str(t, "refresh_token")
		}
	}
}

// TestStartIgnoresStaleLock: a process that was killed while it wrote the signing keys left its
// lock. The next start writes no keys, so it need not wait until the lock is stale.
func TestStartIgnoresStaleLock(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	token := f.token("alice")
	f.stop()
	storage := &certmagic.FileStorage{Path: filepath.Join(f.dir, "caddy")}
	if err := storage.Lock(t.Context(), "wxgate/keys"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = storage.Unlock(context.Background(), "wxgate/keys") }()
	f.load()
	f.wantCall(token, http.StatusOK, "")
}
