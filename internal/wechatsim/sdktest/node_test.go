package sdktest

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// nodeModules returns the folder of the SDKs of the lock file in node, which has their hashes.
// .ci/run installs them and names the folder; elsewhere npm installs them here. None of their
// scripts runs.
func nodeModules(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("WXGATE_SDK_TOOLS"); dir != "" {
		return filepath.Join(dir, "node_modules")
	}
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs node, with npm: %v", err)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("node")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--silent", "--no-audit", "--no-fund")
	npm.Dir, npm.Env = dir, environment
	if err := npm.Run(); err != nil { // what npm said would name its registry
		t.Skipf("needs a registry that npm reaches: npm ci: %v", err)
	}
	return filepath.Join(dir, "node_modules")
}

// runNode runs a script of testdata with JSON as its argument, and reads what it printed.
func runNode(t *testing.T, modules, script string, given map[string]any, value any, flags ...string) {
	t.Helper()
	argument, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(background(t), "node", append(flags, filepath.Join("testdata", script), string(argument))...)
	node.Env = append(slices.Clone(environment), "NODE_PATH="+modules, "NODE_NO_WARNINGS=1", "WECHAT_PROXY="+simulator.proxy, "WECHAT_CA="+simulator.ca)
	node.Stderr = os.Stderr
	said, err := node.Output()
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	report := struct {
		Value any
		Error string
	}{Value: value}
	if err := json.Unmarshal(said, &report); err != nil || report.Error != "" {
		t.Fatalf("%s: %v %s\n%s", script, err, report.Error, said)
	}
}

// login is what a login of an SDK returns.
type login struct {
	OpenID     string `json:"openid"`
	UnionID    string `json:"unionid"`
	SessionKey string `json:"session_key"`
}

// TestNodeEasyWeChat uses node-easywechat, whose option http.baseURL names the simulator.
func TestNodeEasyWeChat(t *testing.T) {
	modules := nodeModules(t)
	for _, stable := range []bool{false, true} {
		t.Run(strconv.FormatBool(stable), func(t *testing.T) {
			var got struct {
				Login login
				Plain struct{ PurePhoneNumber string }
				Phone struct {
					ErrCode   int
					PhoneInfo struct{ PurePhoneNumber string } `json:"phone_info"`
				}
				Again string
			}
			alice := personOf(t, "alice")
			runNode(t, modules, "easywechat.js", map[string]any{
				"appid": appID, "secret": appSecret, "api": simulator.api, "stable": stable, "cache": t.TempDir(),
				"code": get(t, "/code", "alice"), "phoneCode": get(t, "/phone-code", "alice"),
				"encrypted": simulator.controls + "/encrypted-phone?user=alice",
			}, &got)
			if got.Login.OpenID != alice.OpenID || got.Login.UnionID != alice.UnionID || got.Login.SessionKey != personOf(t, "alice").SessionKey {
				t.Errorf("codeToSession = %+v", got.Login)
			}
			if got.Plain.PurePhoneNumber != alice.Phone || got.Phone.PhoneInfo.PurePhoneNumber != alice.Phone {
				t.Errorf("decrypted %+v, by code %+v, want %s", got.Plain, got.Phone, alice.Phone)
			}
			if !strings.Contains(got.Again, "40163") {
				t.Errorf("the second time: %q, want 40163", got.Again)
			}
		})
	}
}

// TestWaferNodeSDK uses the server side of Tencent Wafer, which has no option for the address:
// the script of docs/sim.md redirects it.
func TestWaferNodeSDK(t *testing.T) {
	modules := nodeModules(t)
	const sessionKey = "tiihtNczf5v6AKRyjwEUhQ=="
	var minted struct{ Code string }
	if err := json.Unmarshal([]byte(control(t, http.MethodPost, "/codes", `{"user":"alice","session_key":"`+sessionKey+`"}`)), &minted); err != nil {
		t.Fatal(err)
	}
	var profile sealed // the client sends it with the code: one session_key for both
	if err := json.Unmarshal([]byte(get(t, "/encrypted-profile", "alice&session_key="+sessionKey)), &profile); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Login struct {
			Userinfo struct {
				Skey     string
				Userinfo struct{ OpenID string }
			}
		}
		Session struct{ Userinfo struct{ OpenID string } }
	}
	runNode(t, modules, "wafer.js", map[string]any{
		"appid": appID, "secret": appSecret, "code": minted.Code, "data": profile.Data, "iv": profile.IV,
	}, &got, "--require", redirection(t))
	want := personOf(t, "alice").OpenID
	if got.Login.Userinfo.Userinfo.OpenID != want || got.Session.Userinfo.OpenID != want || got.Login.Userinfo.Skey == "" {
		t.Errorf("login and session = %+v, want %s", got, want)
	}
}

// TestCoWeChat uses two SDKs whose URLs are fixed, with the script of docs/sim.md: co-wechat-api
// for the access token and what it is for, co-wechat-oauth for the web login of an official
// account.
func TestCoWeChat(t *testing.T) {
	modules := nodeModules(t)
	var got struct {
		Token, Ticket string
		Addresses     struct {
			List []string `json:"ip_list"`
		}
		Login, Profile, Refreshed struct{ OpenID, UnionID, Nickname string }
		Valid                     struct{ ErrCode int }
		Again, Unknown            string
	}
	runNode(t, modules, "cowechat.js", map[string]any{
		"appid": officialID, "secret": officialSecret, "code": get(t, "/web-code", "alice"), "code2": get(t, "/web-code", "alice"),
	}, &got, "--require", redirection(t))
	want := personOf(t, "alice")
	if len(got.Token) < 100 || len(got.Ticket) < 80 || len(got.Addresses.List) == 0 {
		t.Errorf("token %q, ticket %q, addresses %v", got.Token, got.Ticket, got.Addresses)
	}
	if got.Login.OpenID == want.OpenID || got.Login.UnionID != want.UnionID || got.Profile.UnionID != want.UnionID || got.Profile.Nickname != "爱丽丝" {
		t.Errorf("login %+v, profile %+v, want %+v", got.Login, got.Profile, want)
	}
	if got.Refreshed.OpenID != got.Login.OpenID || got.Valid.ErrCode != 0 {
		t.Errorf("refreshed %+v, valid %+v", got.Refreshed, got.Valid)
	}
	if !strings.Contains(got.Again, "code been used") || !strings.Contains(got.Unknown, "invalid url") {
		t.Errorf("the second time %q, of an unknown path %q", got.Again, got.Unknown)
	}
}

// redirection writes the script of docs/sim.md to a file and returns its name.
func redirection(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "sim.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "\n```js\n")
	script, _, closed := strings.Cut(rest, "\n```\n")
	if !found || !closed {
		t.Fatal("docs/sim.md has no block of JavaScript")
	}
	name := filepath.Join(t.TempDir(), "redirect.cjs")
	if err := os.WriteFile(name, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
