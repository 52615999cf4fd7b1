package caddymodule_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// literalSecret is a secret that tests put into a configuration as a literal, to check that no
// error or log line contains it.
const literalSecret = "c0ffee00c0ffee11c0ffee22c0ffee33"

// loadTest validates configurations as `wxgate validate` does.
type loadTest struct {
	t   *testing.T
	dir string
}

func newLoadTest(t *testing.T) *loadTest {
	t.Helper()
	t.Setenv("WXGATE_TEST_SECRET", "00000000000000000000000000000001")
	t.Setenv("WXGATE_TEST_EMPTY", "")
	t.Setenv("WXGATE_TEST_SPACES", " \t ")
	t.Setenv("WXGATE_TEST_SHORT", strings.Repeat("s", 31))
	t.Setenv("WXGATE_TEST_ROOT", strings.Repeat("r", 32))
	t.Setenv("WXGATE_TEST_LITERAL", literalSecret)
	return &loadTest{t, t.TempDir()}
}

func (l *loadTest) file(name, content string) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// validate provisions a Caddyfile and returns what was logged.
func (l *loadTest) validate(global, site string) (log string, err error) {
	l.t.Helper()
	caddyfile := fmt.Sprintf(`
{
	admin off
	persist_config off
	storage file_system %[1]s/caddy
	log {
		output file %[1]s/log
		level DEBUG
	}
	wxgate {
		store bolt %[1]s/wxgate.db
		%[2]s
	}
}
http://127.0.0.1:0 {
	wxgate {
		%[3]s
	}
}`, l.dir, strings.ReplaceAll(global, "$DIR", l.dir), site)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		l.t.Fatalf("adapting: %v", err)
	}
	return l.validateJSON(adapted)
}

func (l *loadTest) validateJSON(config []byte) (log string, err error) {
	l.t.Helper()
	cfg := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(config, cfg); err != nil {
		l.t.Fatal(err)
	}
	err = caddy.Validate(cfg)
	b, readErr := os.ReadFile(filepath.Join(l.dir, "log"))
	if readErr != nil && !os.IsNotExist(readErr) {
		l.t.Fatal(readErr)
	}
	return string(b), err
}

const goodApp = "app wx1111111111111111 {env.WXGATE_TEST_SECRET}"

// TestLoadRefuses: each configuration that cannot work is refused at load, with an error that
// helps to fix it.
func TestLoadRefuses(t *testing.T) {
	l := newLoadTest(t)
	l.file("empty", "\n")
	l.file("short", strings.Repeat("s", 31)+"\n")
	ed, ec, weak := l.file("ed.pem", pemKey(t, "EdDSA")), l.file("ec.pem", pemKey(t, "ES256")), l.file("weak.pem", pemKey(t, "RSA1024"))
	p384, public := l.file("p384.pem", pemKey(t, "P384")), l.file("public.pem", pemKey(t, "public"))
	for _, tc := range []struct {
		name, global, site string
		want               []string
	}{
		{"no app", "", "", []string{"no mini program is configured", "app <appid> {env.WX_SECRET}"}},
		{"no secret", "app wx1111111111111111", "", []string{"app wx1111111111111111: secret is empty; set it to a placeholder such as {env.X} or {file.X}"}},
		{"secret of an unset variable", "app wx1111111111111111 {env.WXGATE_TEST_UNSET}", "", []string{"app wx1111111111111111: secret is empty; set WXGATE_TEST_UNSET or fix the placeholder {env.WXGATE_TEST_UNSET}"}},
		{"secret of an empty variable", "app wx1111111111111111 {env.WXGATE_TEST_EMPTY}", "", []string{"secret is empty; set WXGATE_TEST_EMPTY or fix"}},
		{"secret of spaces", "app wx1111111111111111 {env.WXGATE_TEST_SPACES}", "", []string{"secret is empty; "}},
		{"secret of a missing file", "app wx1111111111111111 {file.$DIR/none}", "", []string{"secret is empty; write the file ", "/none or fix the placeholder {file."}},
		{"secret of an empty file", "app wx1111111111111111 {file.$DIR/empty}", "", []string{"secret is empty; "}},
		{"secret of an unknown placeholder", "app wx1111111111111111 {vault.wx}", "", []string{"secret is empty; fix the placeholder {vault.wx}"}},
		{"secret of two placeholders", "app wx1111111111111111 {env.WXGATE_TEST_UNSET}hunter2{env.WXGATE_TEST_UNSET}", "", []string{"app wx1111111111111111: secret is empty, at"}},
		{"appid of an unset variable", "app {env.WXGATE_TEST_UNSET} {env.WXGATE_TEST_SECRET}", "", []string{`app "{env.WXGATE_TEST_UNSET}": the appid is empty`}},
		{"invalid appid", "app wx/1 {env.WXGATE_TEST_SECRET}", "", []string{"invalid appid", "letters, digits, underscores and hyphens"}},
		{"duplicate appid, from a variable", goodApp + "\n\t\tapp {env.WXGATE_TEST_APPID} {env.WXGATE_TEST_SECRET}", "", []string{"duplicate app wx1111111111111111"}},
		{"api without a scheme", goodApp + " {\n\t\t\tapi api.weixin.qq.com\n\t\t}", "", []string{"app wx1111111111111111: api must be a URL such as https://"}},
		{"api with a user", goodApp + " {\n\t\t\tapi http://user:" + literalSecret + "@127.0.0.1\n\t\t}", "", []string{"api must be a URL such as https://"}},
		{"root secret of an unset variable", goodApp + "\n\t\tsecret {env.WXGATE_TEST_UNSET}", "", []string{"the root secret is empty; "}},
		{"root secret too short", goodApp + "\n\t\tsecret {env.WXGATE_TEST_SHORT}", "", []string{"the root secret is too short", "has 31 bytes, at least 32 are needed"}},
		{"old root secret too short", goodApp + "\n\t\tsecret {env.WXGATE_TEST_ROOT} {file.$DIR/short}", "", []string{"secret 2 has 31 bytes, at least 32 are needed"}},
		{"key of a missing file", tokenBlock("key {file.$DIR/none}"), "", []string{"token: key is empty; "}},
		{"invalid key", tokenBlock("key {env.WXGATE_TEST_LITERAL}"), "", []string{"token: key: signing key unreadable: not PEM"}},
		{"public key", tokenBlock("key {file." + public + "}"), "", []string{`the PEM block is a "PUBLIC KEY", a private key is needed`}},
		{"EC key for EdDSA", tokenBlock("key {file." + ec + "}"), "", []string{"an ECDSA key on P-256 cannot sign EdDSA"}},
		{"Ed25519 key for ES256", tokenBlock("alg ES256", "key {file."+ed+"}"), "", []string{"an Ed25519 key cannot sign ES256"}},
		{"P-384 key for ES256", tokenBlock("alg ES256", "key {file."+p384+"}"), "", []string{"ES256 needs P-256"}},
		{"EC key for RS256", tokenBlock("alg RS256", "key {file."+ec+"}"), "", []string{"an ECDSA key on P-256 cannot sign RS256"}},
		{"small RSA key", tokenBlock("alg RS256", "key {file."+weak+"}"), "", []string{"the RSA key has 1024 bits, at least 2048 are needed"}},
		{"PEM as HS256 secret", tokenBlock("alg HS256", "key {file."+public+"}"), "", []string{"HS256 was given a PEM key", "set alg to the key's algorithm"}},
		{"short HS256 secret", tokenBlock("alg HS256", "key {env.WXGATE_TEST_SHORT}"), "", []string{"the HS256 secret has 31 bytes, at least 32 are needed"}},
		{"lifetime under a second", tokenBlock("access 10ms"), "", []string{"10ms is too short; the minimum is 1s"}},
		{"cache under a mebibyte", tokenBlock("cache 512KiB"), "", []string{"a cache of 524288 bytes is too small; the minimum is 1MiB"}},
		{"unconfigured app", goodApp, "app wx2222222222222222", []string{"app wx2222222222222222 is not configured: add it to the global wxgate block"}},
		{"require an unconfigured app", goodApp, "require app wx2222222222222222 on /admin", []string{"app wx2222222222222222 is not configured"}},
		{"app of an unset variable", goodApp, "app {env.WXGATE_TEST_UNSET}", []string{"the appid is empty"}},
		{"token in an identity header", goodApp, "token_from header X-WX-OPENID", []string{"token_from header X-Wx-Openid", "the gateway reserves this header"}},
		{"token in a renamed identity header", goodApp, "token_from header X_User\n\t\theaders {\n\t\t\topenid X-User\n\t\t}", []string{"token_from header X_user", "the gateway reserves this header"}},
		{"assertion under HS256", tokenBlock("alg HS256"), "headers {\n\t\t\tassertion X-Assertion orders\n\t\t}", []string{"HS256", "set token alg to EdDSA, ES256 or RS256"}},
		{"assertion that could be used as an access token", tokenBlock("audience orders"), "headers {\n\t\t\tassertion X-Assertion orders\n\t\t}", []string{`audience "orders" is also the audience of access tokens`}},
		{"prefetch at a path of the login API", goodApp, "prefetch /v1.0/pub/boot", []string{`path "/v1.0/pub/boot" belongs to the login API; use another`}},
		{"prefetch without WeChat", "app 1100000001 {env.WXGATE_TEST_SECRET} {\n platform qq\n}", "prefetch /boot", []string{"the site admits no app of platform wechat"}},
		{"token_from a parameter of prefetches", goodApp, "prefetch /boot\n\t\ttoken_from query token", []string{"token_from query token is a parameter of prefetches; use another name"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("WXGATE_TEST_APPID", "wx1111111111111111")
			log, err := l.validate(tc.global, tc.site)
			if err == nil {
				t.Fatal("loaded")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not contain %q: %v", want, err)
				}
			}
			if strings.Contains(err.Error()+log, literalSecret) {
				t.Errorf("the error or the log contains a secret: %v\n%s", err, log)
			}
		})
	}
	l.wantFiles("ec.pem", "ed.pem", "empty", "log", "p384.pem", "public.pem", "short", "weak.pem")
}

// tokenBlock is a global block with a valid app and options of token.
func tokenBlock(options ...string) string {
	return goodApp + "\n\t\ttoken {\n\t\t\t" + strings.Join(options, "\n\t\t\t") + "\n\t\t}"
}

// TestLoadRefusesWithoutApp: the error for a handler without the global block contains an example
// of the block.
func TestLoadRefusesWithoutApp(t *testing.T) {
	l := newLoadTest(t)
	for name, config := range map[string]string{
		"no app":       `{"admin":{"disabled":true},"apps":{"http":{"servers":{"s":{"listen":["127.0.0.1:0"],"routes":[{"handle":[{"handler":"wxgate"}]}]}}}}}`,
		"an empty app": `{"admin":{"disabled":true},"apps":{"wxgate":{}}}`,
	} {
		_, err := l.validateJSON([]byte(config))
		if err == nil || !strings.Contains(err.Error(), "wxgate { app <appid> {env.WX_SECRET} } to the global options") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLoadRefusesJSON: JSON is checked as strictly as a Caddyfile.
func TestLoadRefusesJSON(t *testing.T) {
	l := newLoadTest(t)
	for _, tc := range []struct{ name, app, handler, want string }{
		{"headers that collide", ``, `"headers":{"phone":"x-wx-openid"}`, `header name "x-wx-openid" is used twice`},
		{"headers that collide when folded", ``, `"headers":{"phone":"X-User","session":"x-user"}`, `header name "X-User" is used twice`},
		{"a header with a line break", ``, `"headers":{"phone":"X-A\r\nX-B"}`, "use letters, digits and hyphens"},
		{"the host header", ``, `"headers":{"openid":"Host"}`, `header name "Host" cannot carry an identity`},
		{"an assertion without an audience", ``, `"headers":{"assertion":"X-A"}`, "needs a name and an audience"},
		{"an audience without an assertion", ``, `"headers":{"assertion_audience":"a"}`, "needs a name and an audience"},
		{"a relative path", ``, `"public":["health"]`, `public: path "health" must begin with a slash`},
		{"a path with dots", ``, `"optional":["/a/.."]`, `optional: path "/a/.." is not canonical`},
		{"a requirement without paths", ``, `"require":[{"what":"phone","paths":[]}]`, "require phone: name the paths"},
		{"an unknown requirement", ``, `"require":[{"what":"age","paths":["/a"]}]`, `unrecognized requirement "age"; expected one of: phone, unionid, app`},
		{"a requirement without apps", ``, `"require":[{"what":"app","paths":["/a"]}]`, "require app: name the appids"},
		{"a bad prefix", ``, `"prefix":"login"`, `prefix "login" must be a plain path`},
		{"an unknown token source", ``, `"token_from":{"kind":"body"}`, `unrecognized token_from "body"; expected one of: header, query, cookie`},
		{"a nameless cookie", ``, `"token_from":{"kind":"cookie"}`, `token_from cookie: "" is not a name`},
		{"any origin", ``, `"cors":{"origins":["*"]}`, `cors: origin "*": expected scheme://host[:port]`},
		{"no origin", ``, `"cors":{}`, "cors: name the origins"},
		{"an unknown store", `"store":{"kind":"sqlite"}`, ``, `unrecognized store "sqlite"; expected one of: bolt, redis, memory`},
		{"a path in memory", `"store":{"kind":"memory","path":"a.db"}`, ``, "store memory takes no path"},
		{"an unknown alg", `"token":{"alg":"none"}`, ``, `unrecognized "none"; expected one of: EdDSA, ES256, RS256, HS256`},
		{"an unknown member", `"stoer":{}`, ``, "stoer"},
		{"an unknown member of a handler", ``, `"publik":["/a"]`, "publik"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			join := func(member string) string {
				if member != "" {
					member = "," + member
				}
				return member
			}
			_, err := l.validateJSON([]byte(fmt.Sprintf(`{"admin":{"disabled":true},"apps":{
				"wxgate":{"apps":[{"appid":"wx1111111111111111","secret":"{env.WXGATE_TEST_SECRET}"}]%s},
				"http":{"servers":{"s":{"listen":["127.0.0.1:0"],"routes":[{"handle":[{"handler":"wxgate"%s}]}]}}}}}`, join(tc.app), join(tc.handler))))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("want %q, got: %v", tc.want, err)
			}
		})
	}
}

// TestLoadAccepts: every way of writing a secret or another value is accepted. Validation creates
// no file, and warns of literal secrets.
func TestLoadAccepts(t *testing.T) {
	const warning = "is written in the configuration, where Caddy's admin API shows it; use {env.X} or {file.X}"
	for _, tc := range []struct {
		name, global, site string
		warns              bool
	}{
		{"secret of a file with a line break", "app wx1111111111111111 {file.$DIR/secret}", "", false},
		{"secret of a file with a Windows line break", "app wx1111111111111111 {file.$DIR/windows}", "", false},
		{"secret in the block", "app wx1111111111111111 {\n\t\t\tsecret {file.$DIR/secret}\n\t\t}", "", false},
		{"api of a variable", goodApp + " {\n\t\t\tapi {env.WXGATE_TEST_API}\n\t\t}", "", false},
		{"root secret of a file", goodApp + "\n\t\tsecret {file.$DIR/root}", "", false},
		{"root secrets that rotate", goodApp + "\n\t\tsecret {env.WXGATE_TEST_ROOT} {file.$DIR/root}", "", false},
		{"Ed25519 key", tokenBlock("key {file.$DIR/EdDSA}"), "", false},
		{"ES256 key", tokenBlock("alg ES256", "key {file.$DIR/ES256}"), "", false},
		{"RS256 key", tokenBlock("alg RS256", "key {file.$DIR/RS256}"), "", false},
		{"HS256 secret", tokenBlock("alg HS256", "key {env.WXGATE_TEST_ROOT}"), "", false},
		{"idle longer than refresh", tokenBlock("refresh 1h idle 2h"), "", false},
		{"app by a variable", goodApp, "app {env.WXGATE_TEST_APPID}", false},
		{"literal secret", "app wx1111111111111111 {$WXGATE_TEST_LITERAL}", "", true},
		{"literal root secret", goodApp + "\n\t\tsecret {$WXGATE_TEST_LITERAL}", "", true},
		{"literal signing secret", tokenBlock("alg HS256", "key {$WXGATE_TEST_LITERAL}"), "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLoadTest(t)
			t.Setenv("WXGATE_TEST_API", "http://127.0.0.1:1")
			t.Setenv("WXGATE_TEST_APPID", "wx1111111111111111")
			files := []string{"ES256", "EdDSA", "RS256", "log", "root", "secret", "windows"}
			l.file("secret", "00000000000000000000000000000001\n")
			l.file("windows", "00000000000000000000000000000001\r\n")
			l.file("root", strings.Repeat("r", 32)+"\n")
			for _, alg := range files[:3] {
				l.file(alg, pemKey(t, alg))
			}
			log, err := l.validate(tc.global, tc.site)
			if err != nil {
				t.Fatal(err)
			}
			if warned := strings.Contains(log, warning); warned != tc.warns {
				t.Errorf("warned = %v, want %v:\n%s", warned, tc.warns, log)
			}
			if strings.Contains(log, literalSecret) {
				t.Errorf("the log contains a secret:\n%s", log)
			}
			l.wantFiles(files...)
		})
	}
}

// wantFiles fails the test unless the directory has exactly these files.
func (l *loadTest) wantFiles(want ...string) {
	l.t.Helper()
	var got []string
	err := filepath.WalkDir(l.dir, func(path string, _ fs.DirEntry, err error) error {
		if path != l.dir {
			got = append(got, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		l.t.Errorf("the directory has %v, want %v", got, want)
	}
}

// pemKey generates a key in PEM; kind is an algorithm, or the name of a key that no algorithm
// accepts.
func pemKey(t *testing.T, kind string) string {
	t.Helper()
	var key any
	var err error
	switch kind {
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "P384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "RS256":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "RSA1024":
		t.Setenv("GODEBUG", "rsa1024min=0")
		key, err = rsa.GenerateKey(rand.Reader, 1024)
	case "public":
		public, _, _ := ed25519.GenerateKey(rand.Reader)
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
