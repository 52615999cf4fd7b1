package standalone

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/apisecurity"
)

// load writes a file and loads it.
func load(t *testing.T, text string) (Setup, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sim.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(name)
}

// TestDefault has the users of the default apps: a person has one unionid in the apps on WeChat,
// none on other platforms, and another openid in each app.
func TestDefault(t *testing.T) {
	t.Parallel()
	sim, err := Default().New()
	if err != nil {
		t.Fatal(err)
	}
	unionids, openids := map[string]bool{}, map[string]bool{}
	for _, u := range sim.Users() {
		if u.Name == "alice" {
			unionids[u.UnionID] = true
			openids[u.OpenID] = true
		}
	}
	if apps := len(sim.Apps()); len(openids) != apps || apps != 9 || len(unionids) != 2 || !unionids[""] {
		t.Errorf("alice has %d openids in %d apps, and the unionids %v", len(openids), apps, unionids)
	}
}

// TestLoad replaces apps and users, and keeps the default users for other apps.
func TestLoad(t *testing.T) {
	t.Parallel()
	setup, err := load(t, `{"apps": [{"appid": "wxa", "secret": "s", "push": {"url": "http://server.example/", "token": "t"}}, {"appid": "q", "secret": "s", "platform": "qq"}],
		"components": [{"appid": "wxc", "apps": ["wxa"]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	sim, err := setup.New()
	if err != nil {
		t.Fatal(err)
	}
	if users := sim.Users(); len(users) != 6 || users[0].App != "wxa" || users[0].Name != "alice" {
		t.Errorf("users = %+v, want the three default users in both apps", users)
	}
	if push := sim.Apps()[0].Push; push.URL != "http://server.example/" || push.Mode != "plain" || push.Format != "json" {
		t.Errorf("push = %+v", push)
	}
	if _, err := sim.ComponentToken("wxc"); err != nil {
		t.Error(err)
	}
}

// TestLoadKinds has the kinds and the callback domains, and a nickname.
func TestLoadKinds(t *testing.T) {
	t.Parallel()
	setup, err := load(t, `{"apps": [{"appid": "wxa", "secret": "s"}, {"appid": "wxo", "secret": "s", "kind": "official"},
		{"appid": "wxw", "secret": "s", "platform": "wechat", "kind": "website", "callback_domains": ["www.example.com"]}],
		"users": [{"user": "alice", "unionid": "u", "nickname": "爱丽丝"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	sim, err := setup.New()
	if err != nil {
		t.Fatal(err)
	}
	if apps := sim.Apps(); apps[0].Kind != "" || apps[1].Kind != wechatsim.Official || apps[2].Kind != wechatsim.Website || apps[2].Callbacks[0] != "www.example.com" {
		t.Errorf("%+v", apps)
	}
	for _, u := range sim.Users() {
		if u.NickName != "爱丽丝" || u.UnionID != "u" {
			t.Errorf("%+v", u)
		}
	}
}

// TestLoadAPISecurity turns it on for the app that has keys.
func TestLoadAPISecurity(t *testing.T) {
	t.Parallel()
	keys, err := apisecurity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	setup, err := load(t, `{"apps": [{"appid": "wxa", "secret": "s", "api_security": `+string(text)+`}, {"appid": "wxb", "secret": "s"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	sim, err := setup.New()
	if err != nil {
		t.Fatal(err)
	}
	if shown, err := sim.SecurityConsole("wxa"); err != nil || shown.Encrypt != keys.Encrypt {
		t.Errorf("%+v, %v", shown, err)
	}
	if _, err := sim.SecurityConsole("wxb"); !errors.Is(err, apisecurity.ErrBadKeys) {
		t.Error(err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"apps": []}`:                "apps is empty",
		`{"apps": [{"secret": "s"}]}`: "apps[0]: appid is required",
		`{"apps": [{"appid": "a"}]}`:  "secret is required",
		`{"apps": [{"appid": "a", "secret": "s", "miniprogram": "b"}]}`:                                           "miniprogram is only for platform wecom",
		`{"apps": [{"appid": "a", "secret": "s"}, {"appid": "a", "secret": "s"}]}`:                                `apps[1]: duplicate app "a"`,
		`{"apps": [{"appid": "a", "secret": "s", "api_security": {}}]}`:                                           `app "a": api_security: bad API security keys: encrypt`,
		`{"apps": [{"appid": "a", "secret": "s", "platform": "qq", "api_security": {}}]}`:                         "not a mini program on wechat",
		`{"apps": [{"appid": "a", "secret": "s", "push": {"token": "t"}}]}`:                                       `app "a": bad push configuration: the URL`,
		`{"apps": [{"appid": "a", "secret": "s", "kind": "miniprogram"}]}`:                                        `app "a": unrecognized kind "miniprogram"; expected one of: [official website]`,
		`{"apps": [{"appid": "a", "secret": "s", "kind": "official", "platform": "qq"}]}`:                         "kind is only for platform wechat",
		`{"apps": [{"appid": "a", "secret": "s", "callback_domains": ["a.example"]}]}`:                            "callback_domains is only for the kinds [official website]",
		`{"apps": [{"appid": "a", "secret": "s", "kind": "website", "callback_domains": ["https://a.example"]}]}`: "expected host names without scheme",
		`{"apps": [{"appid": "a", "secret": "s", "kind": "website", "api_security": {}}]}`:                        "not a mini program on wechat",
		`{"apps": [{"appid": "a", "secret": "s", "platform": "qq", "push": {"url": "http://x/"}}]}`:               "push is only for platform wechat",
		`{"apps": [{"appid": "a", "secret": "s", "push": {"url": "http://x/", "tokens": "t"}}]}`:                  "unrecognized member /apps/0/push/tokens",
		`{"components": [{}]}`:                                                         "components[0]: appid is required",
		`{"components": [{"appid": "c"}, {"appid": "c"}]}`:                             `duplicate component "c"`,
		`{"components": [{"appid": "c", "apps": ["none"]}]}`:                           `unknown app "none"`,
		`{"users": [{}]}`:                                                              "users[0]: user is required",
		`{"users": [{"user": "alice", "openid": "o"}]}`:                                "openid requires appid",
		`{"users": [{"user": "alice", "risk_rank": 5}]}`:                               "5 is not a number from 0 to 4",
		"{\"apps\": [\n{\"appid\": \"a\", \"secret\": \"s\"},\n{\"appid\": \"b\"}]}":   `line 3: apps[1]: app "b": secret is required`,
		"{\"users\": [\n{\"user\": \"a\"},\n\n{\"user\": \"b\", \"phone\": \"one\"}]}": `line 4: users[1]: user "b": bad phone number`,
		`[]`:    "cannot be a JSON",
		`{} {}`: "line 1: ",
		`{"users": [{"user": "` + strings.Repeat("a", maxFile) + `"}]}`: "at most",
	} {
		if _, err := load(t, text); !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", text, err, want)
		}
	}
}
