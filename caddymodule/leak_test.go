package caddymodule_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

// leakSite logs and exposes as much as possible: a log at DEBUG in a file, access logs, the admin
// API on a socket, and metrics on the admin API and on a path of the site.
const leakSite = `
{
	admin unix/{{.Dir}}/admin.sock
	persist_config off
	storage file_system {{.Dir}}/caddy
	log {
		output file {{.Dir}}/log
		level DEBUG
	}
	metrics
	wxgate {
		app wx0000000000000001 {env.WXGATE_TEST_SECRET} {
			api {{.API}}
		}
		store bolt {{.Dir}}/wxgate.db
		secret {file.{{.Dir}}/root}
		token {
			key {env.WXGATE_TEST_KEY}
		}
	}
}
http://{{.Addr}} {
	log
	metrics /metrics
	wxgate {
		public /metrics /free
		headers {
			phone X-WX-PHONE
		}
	}
	reverse_proxy {{.Upstream}}
}
`

const (
	markedAppSecret = "feedfacefeedface00feedface0000ff"
	markedRoot      = "marked-root-secret-0123456789-abcdefgh"
	markedPhone     = "10087654321"
)

// leaks collects secrets, and the output in which none of them may be.
type leaks struct {
	f         *fixture
	secrets   map[string]string // by description
	responses map[string]string // the responses to refused requests, by description
}

// TestNothingLeaks runs every flow, including refused requests, and searches for every secret
// in all output: logs, the admin API, metrics, problems, and the files on disk.
func TestNothingLeaks(t *testing.T) {
	dir, err := os.MkdirTemp("", "wx") //nolint:usetesting // a socket's path has 100 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	key := pemKey(t, "EdDSA")
	t.Setenv("WXGATE_TEST_KEY", key)
	f := newStoppedFixture(t, wechatsim.Config{Apps: []wechatsim.App{{ID: wechatsim.DefaultApp.ID, Secret: markedAppSecret}}}, leakSite)
	t.Setenv("WXGATE_TEST_SECRET", markedAppSecret)
	f.dir = dir
	if err := os.WriteFile(filepath.Join(dir, "root"), []byte(markedRoot+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.load()

	l := &leaks{f: f, responses: map[string]string{}, secrets: map[string]string{
		"the AppSecret":   markedAppSecret,
		"the root secret": markedRoot,
		"the signing key": strings.Split(key, "\n")[1],
		"the phone":       markedPhone,
		"the openid":      wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice"),
	}}
	l.goodFlows(t)
	for _, r := range f.sim.Sim.Requests() {
		for _, name := range []string{"js_code", "access_token"} {
			if value := r.Query.Get(name); value != "" {
				l.secrets["WeChat's "+name+" "+value[:4]+"…"] = value
			}
		}
	}
	l.badFlows(t)

	seen := l.everything(t)
	for _, what := range []string{"log", "admin /config/", "admin /metrics", "site /metrics", "wxgate.db"} {
		if len(seen[what]) < 100 {
			t.Errorf("%s has only %d bytes, too few for this test", what, len(seen[what]))
		}
	}
	for _, want := range []string{`"user_id":"`, "request refused", "handled request", "upstream roundtrip"} {
		if !strings.Contains(seen["log"], want) {
			t.Errorf("the log has no line %q: some log is not at DEBUG", want)
		}
	}
	for what, secret := range l.secrets {
		for where, text := range seen {
			for _, form := range spellings(secret) {
				for line := range strings.Lines(text) {
					if strings.Contains(line, form) && !allowed(what, where) {
						t.Errorf("%s is in %s: …%s…", what, where, excerpt(line, form))
					}
				}
			}
		}
	}
}

// allowed reports whether a secret may be in a place. The root secret is in its own file, and
// the store has openids.
func allowed(what, where string) bool {
	switch what {
	case "the root secret":
		return where == "root"
	case "the openid":
		return where == "wxgate.db"
	}
	return false
}

// spellings returns the encodings in which a log or a file could have a secret.
func spellings(secret string) []string {
	forms := []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret))}
	if raw, err := base64.StdEncoding.DecodeString(secret); err == nil && len(raw) >= 16 {
		forms = append(forms, string(raw))
	}
	return forms
}

func excerpt(text, form string) string {
	const around = 200
	at := strings.Index(text, form)
	return text[max(0, at-around):min(len(text), at+len(form)+around)]
}

// keep records the secrets in the response to a login.
func (l *leaks) keep(t *testing.T, a response) {
	t.Helper()
	for _, member := range []string{"access_token", "refresh_token", "session_key"} {
		if value, ok := a.json(t)[member].(string); ok {
			l.secrets["the "+member+" …"+value[len(value)-6:]] = value
		}
	}
	if key, err := l.f.sim.Sim.SessionKey(wechatsim.User{Name: "alice"}); err == nil {
		l.secrets["WeChat's session_key "+key[:4]] = key
	}
}

func (l *leaks) goodFlows(t *testing.T) {
	f, alice := l.f, wechatsim.User{Name: "alice"}
	login := f.login("alice")
	l.keep(t, login)
	bearer := "Bearer " + login.str(t, "access_token")
	sealed, err := f.sim.Sim.EncryptPhone(alice, wechatsim.PhoneNumber{Number: markedPhone}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	l.secrets["encryptedData"] = sealed.EncryptedData
	decode := fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, sealed.EncryptedData, sealed.IV, login.str(t, "session_key"))
	f.do("POST", pub+"/decode", decode).want(t, http.StatusOK, "")
	code, err := f.sim.Sim.MintPhoneCode(alice, wechatsim.PhoneNumber{Number: markedPhone})
	if err != nil {
		t.Fatal(err)
	}
	l.secrets["a phone code"] = code.Code
	phone := f.do("POST", pub+"/decode", fmt.Sprintf(`{"code":%q}`, code.Code), "Authorization", bearer)
	phone.want(t, http.StatusOK, "")
	l.keep(t, phone)
	profile, err := f.sim.Sim.EncryptProfile(alice, wechatsim.Profile{}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	f.do("POST", pub+"/userInfo", fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"raw_data":%q,"signature":%q}`, profile.EncryptedData, profile.IV, profile.RawData, profile.Signature), "Authorization", bearer).want(t, http.StatusOK, "")
	refreshed := f.do("POST", pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, login.str(t, "refresh_token")))
	refreshed.want(t, http.StatusOK, "")
	l.keep(t, refreshed)
	f.do("GET", "/orders", "", "Authorization", "Bearer "+phone.str(t, "access_token")).want(t, http.StatusOK, "")
	if got := f.upstream.last(t).Header.Get("X-Wx-Phone"); !strings.HasSuffix(got, markedPhone) {
		t.Fatalf("the upstream got the phone %q", got)
	}
	f.do("GET", "/free", "", "Authorization", bearer).want(t, http.StatusOK, "")
	f.do("POST", pub+"/revoke", fmt.Sprintf(`{"token":%q}`, f.login("bob").str(t, "refresh_token"))).want(t, http.StatusOK, "")
	f.do("POST", pub+"/logout", `{"all":true}`, "Authorization", "Bearer "+refreshed.str(t, "access_token")).want(t, http.StatusNoContent, "")
}

// badFlows sends every secret in requests that are refused, and makes WeChat fail in ways whose
// errors contain a URL.
func (l *leaks) badFlows(t *testing.T) {
	f := l.f
	note := func(name string, a response) {
		if a.status < http.StatusBadRequest {
			t.Errorf("%s was not refused: %d", name, a.status)
		}
		l.responses["the response to "+name] = fmt.Sprint(a.header) + a.body
	}
	for what, secret := range l.secrets {
		body := fmt.Sprintf(`{"code":%[1]q,"refresh_token":%[1]q,"session_key":%[1]q,"encrypted_data":%[1]q,"iv":%[1]q,"appid":""}`, secret)
		note("login with "+what, f.do("POST", pub+"/openId", body))
		note("decode with "+what, f.do("POST", pub+"/decode", body))
		note("userInfo with "+what, f.do("POST", pub+"/userInfo", body))
		note("logout with "+what, f.do("POST", pub+"/logout", body, "Authorization", "Bearer "+secret))
		if !strings.HasPrefix(what, "the refresh_token") { // the sessions of the refresh tokens have ended
			note("refresh with "+what, f.do("POST", pub+"/refresh", body))
		}
	}
	for _, kind := range []fault.Kind{fault.Reset, fault.HTML, fault.HTTP500, fault.Redirect, fault.Truncated, fault.Busy} {
		if err := f.sim.Sim.Arm(fault.Fault{Kind: kind, Times: 1}); err != nil {
			t.Fatal(err)
		}
		code := f.code("alice")
		l.secrets["the code lost by "+string(kind)] = code
		note("login during "+string(kind), f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, code)))
	}
	bearer := "Bearer " + f.token("carol")
	if err := f.sim.Sim.Arm(fault.Fault{Kind: fault.ErrCode, ErrCode: 40125, Path: "/cgi-bin/stable_token"}); err != nil {
		t.Fatal(err)
	}
	f.sim.Sim.ExpireTokens()
	code, err := f.sim.Sim.MintPhoneCode(wechatsim.User{Name: "carol"}, wechatsim.PhoneNumber{Number: markedPhone})
	if err != nil {
		t.Fatal(err)
	}
	note("a phone code while the secret is wrong", f.do("POST", pub+"/decode", fmt.Sprintf(`{"code":%q}`, code.Code), "Authorization", bearer))
}

// everything returns all output in which no secret may be, by its place.
func (l *leaks) everything(t *testing.T) map[string]string {
	t.Helper()
	seen := l.responses
	for _, path := range []string{"/config/", "/metrics", "/reverse_proxy/upstreams", "/debug/vars"} {
		seen["admin "+path] = adminGet(t, filepath.Join(l.f.dir, "admin.sock"), path)
	}
	seen["site /metrics"] = l.f.do("GET", "/metrics", "").body
	err := filepath.WalkDir(l.f.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		seen[strings.TrimPrefix(path, l.f.dir+"/")] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// adminGet sends a GET to the admin API on its socket.
func adminGet(t *testing.T, socket, path string) string {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get("http://127.0.0.1" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s of the admin API: %d %s %v", path, response.StatusCode, b, err)
	}
	return string(b)
}
