package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/attack/wire"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

const (
	waferLogin = "/weapp/login"
	waferMagic = "F2C224D4-2BCE-4C64-AF9F-A6D872000D1A"
)

// TestWaferSDKs runs the published SDKs in Node: they log in and call an API. After an operator,
// or the user on another device, ended their session, they log in again by themselves, once.
func TestWaferSDKs(t *testing.T) {
	f := newWaferFixture(t)
	if err := f.sim.Sim.SetHighRisk(wechatsim.User{Name: "mallory"}, true); err != nil {
		t.Fatal(err)
	}
	for i, sdk := range waferSDKs {
		t.Run(sdk.name+"@"+sdk.version, func(t *testing.T) {
			user := fmt.Sprintf("wafer-%d", i)
			openid := wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, user)
			dir := sdk.unpack(t)
			client := startWaferClient(f, t, dir, user)

			login := client.do("login")
			if login.Error != "" || !strings.Contains(string(login.Value), `"nickName"`) {
				t.Fatalf("login: %+v", login)
			}
			logins := func() int { return f.sim.Sim.Count("/sns/jscode2session") }
			before := logins()
			call := func(wantSeen int) waferReport {
				t.Helper()
				report := client.do("request " + f.url + "/orders")
				if report.Error != "" || string(report.Value) != `{"status":200,"data":"ok"}` || len(report.Seen) != wantSeen {
					t.Fatalf("request: %+v", report)
				}
				if got := f.upstream.last(t).Header.Get("X-Wx-Openid"); got != openid {
					t.Fatalf("the upstream received openid %q, want %q", got, openid)
				}
				return report
			}
			call(1)
			if n := logins() - before; n != 0 {
				t.Fatalf("a request with a session caused %d logins", n)
			}

			f.adminPost("/wxgate/user/logout", fmt.Sprintf(`{"app":%q,"openid":%q}`, wechatsim.DefaultApp.ID, openid))
			again := call(3) // refused, a login, repeated
			if n := logins() - before; n != 1 || again.Seen[0].Status != 401 || again.Seen[1].URL != f.url+waferLogin {
				t.Fatalf("after an operator's revocation: %d logins, %+v", n, again.Seen)
			}

			f.do("POST", pub+"/logout", `{"all":true}`, "Authorization", "Bearer "+f.token(user)).want(t, http.StatusNoContent, "")
			before = logins()
			call(3)
			call(1)
			if n := logins() - before; n != 1 {
				t.Fatalf("after the user's logout everywhere: %d logins", n)
			}
			f.replacedBySDK(t, client, user)

			mallory := startWaferClient(f, t, dir, "mallory")
			if report := mallory.do("login"); !strings.Contains(report.Error, "risk_blocked") || len(report.Seen) != 1 {
				t.Errorf("login of a high-risk user: %+v", report)
			}
		})
	}
}

// waferLoginOf logs in as the SDKs do, with further headers.
func (f *fixture) waferLoginOf(name string, header ...string) response {
	f.t.Helper()
	return f.do("GET", waferLogin, "", append([]string{"X-WX-Code", f.code(name)}, header...)...)
}

// replacedBySDK logs the client in with session_limit, and then another device of the same
// user, which ends the client's session. The next requests of the SDK do not log in again, or
// the two devices would end each other's sessions forever.
func (f *fixture) replacedBySDK(t *testing.T, client *waferClient, user string) {
	t.Helper()
	f.config = withLimit(waferSite, "session_limit 1")
	f.load()
	defer func() {
		f.config = waferSite
		f.load()
	}()
	if report := client.do("request " + f.url + "/orders"); report.Error != "" {
		t.Fatalf("request: %+v", report)
	}
	f.waferLoginOf(user).want(t, http.StatusOK, "")
	before := f.sim.Sim.Count("/sns/jscode2session")
	for range 2 {
		report := client.do("request " + f.url + "/orders")
		if !strings.Contains(string(report.Value), `"session_replaced"`) || len(report.Seen) != 1 || report.Seen[0].Status != http.StatusForbidden {
			t.Errorf("request: %s %+v", report.Value, report)
		}
	}
	if n := f.sim.Sim.Count("/sns/jscode2session") - before; n != 0 {
		t.Errorf("the SDK logged in %d times", n)
	}
}

func TestWaferLogin(t *testing.T) {
	f := newWaferFixture(t)
	login := f.waferLoginOf("alice")
	login.want(t, http.StatusOK, "")
	var got struct {
		Code int `json:"code"`
		Data struct {
			Skey     string         `json:"skey"`
			UserInfo map[string]any `json:"userinfo"`
		} `json:"data"`
		Magic   int `json:"F2C224D4-2BCE-4C64-AF9F-A6D872000D1A"`
		Session struct {
			ID   string `json:"id"`
			Skey string `json:"skey"`
		} `json:"session"`
	}
	if err := json.Unmarshal([]byte(login.body), &got); err != nil {
		t.Fatal(err)
	}
	openid := wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice")
	if got.Code != 0 || got.Magic != 1 || got.Session.ID == "" || got.Session.Skey != got.Data.Skey || got.Data.UserInfo["openId"] != openid {
		t.Errorf("login: %s", login.body)
	}
	if login.header.Get("Cache-Control") != "no-store" || strings.Contains(login.body, "wxr_") || strings.Contains(login.body, "session_key") {
		t.Errorf("login: %v %s", login.header, login.body)
	}
	f.do("POST", waferLogin, "", "X-WX-Code", f.code("alice")).want(t, http.StatusOK, "")

	skey := got.Data.Skey
	used := f.code("alice")
	f.do("GET", waferLogin, "", "X-WX-Code", used).want(t, http.StatusOK, "")
	for _, tc := range []struct {
		name, method string
		header       []string
		status       int
		code         string
	}{
		{"no code", "GET", nil, 400, "invalid_request"},
		{"a skey and no code", "GET", []string{"X-WX-Skey", skey}, 400, "invalid_request"},
		{"two codes", "GET", []string{"X-WX-Code", "a", "X-WX-Code", "b"}, 400, "invalid_request"},
		{"data without iv", "GET", []string{"X-WX-Code", "a", "X-WX-Encrypted-Data", "AAAA"}, 400, "invalid_request"},
		{"unknown code", "GET", []string{"X-WX-Code", "a"}, 401, "invalid_code"},
		{"used code", "GET", []string{"X-WX-Code", used}, 401, "code_used"},
		{"a code of an unserved app", "GET", []string{"X-WX-Code", "a", "Referer", refererOf("wxffffffffffffffff")}, 400, "unknown_app"},
		{"early data", "GET", []string{"X-WX-Code", "a", "Early-Data", "1"}, 425, "invalid_request"},
		{"another method", "PUT", []string{"X-WX-Code", "a"}, 405, "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := f.do(tc.method, waferLogin, "", tc.header...)
			a.want(t, tc.status, tc.code)
			if a.json(t)[waferMagic] != 1.0 || a.str(t, "error") != tc.code {
				t.Errorf("wafer-client-sdk would not recognize the error: %s", a.body)
			}
		})
	}
	if a := f.do("HEAD", waferLogin, "", "X-WX-Code", f.code("alice")); a.status != 405 || a.header.Get("Allow") != "GET, POST" {
		t.Errorf("HEAD, which would spend a code without a login: %d %v", a.status, a.header)
	}
}

// TestWaferProfile: the encrypted profile is checked and returned to the client, and is sent to
// no upstream.
func TestWaferProfile(t *testing.T) {
	f := newWaferFixture(t)
	alice := wechatsim.User{Name: "alice"}
	const key = "tiihtNczf5v6AKRyjwEUhQ=="
	openid := wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice")
	profile := func(data string) string { return fmt.Sprintf(data, openid) }
	login := func(plain string, how wechatsim.Sealing) response {
		t.Helper()
		code, err := f.sim.Sim.MintCode(alice, wechatsim.Login{SessionKey: key})
		if err != nil {
			t.Fatal(err)
		}
		how.SessionKey = key
		sealed, err := f.sim.Sim.EncryptJSON(alice, []byte(plain), how)
		if err != nil {
			t.Fatal(err)
		}
		return f.do("GET", waferLogin, "", "X-WX-Code", code.Code, "X-WX-Encrypted-Data", sealed.EncryptedData, "X-WX-IV", sealed.IV)
	}

	good := login(profile(`{"openId":%q,"nickName":"Band","unionId":"forged-union"}`), wechatsim.Sealing{})
	good.want(t, http.StatusOK, "")
	data, _ := good.json(t)["data"].(map[string]any)
	info, _ := data["userinfo"].(map[string]any)
	if info["nickName"] != "Band" || info["openId"] != openid {
		t.Errorf("userinfo: %s", good.body)
	}
	f.do("GET", "/orders", "", "X-WX-Skey", fmt.Sprint(data["skey"])).want(t, http.StatusOK, "")
	if r := f.upstream.last(t); r.Header.Get("X-Wx-Unionid") != "" {
		t.Errorf("a unionid from the client's data reached the upstream: %v", r.Header)
	}

	for _, tc := range []struct {
		name, plain string
		how         wechatsim.Sealing
		code        string
	}{
		{"another user's", `{"openId":"o-somebody-else-000000000000","nickName":"Eve"}`, wechatsim.Sealing{}, "decrypt_failed"},
		{"without a user", `{"stepInfoList":[]}`, wechatsim.Sealing{}, "decrypt_failed"},
		{"a phone number", `{"phoneNumber":"10012345678","purePhoneNumber":"10012345678","countryCode":"86"}`, wechatsim.Sealing{}, "decrypt_failed"},
		{"a phone number with an openId", profile(`{"openId":%q,"phoneNumber":"10012345678","purePhoneNumber":"10012345678","countryCode":"86"}`), wechatsim.Sealing{}, "decrypt_failed"},
		{"another app's", profile(`{"openId":%q,"nickName":"Band"}`), wechatsim.Sealing{AppID: "wx_other"}, "watermark_mismatch"},
		{"old", profile(`{"openId":%q,"nickName":"Band"}`), wechatsim.Sealing{Timestamp: f.sim.Sim.Now().AddDate(0, 0, -1)}, "watermark_stale"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := login(tc.plain, tc.how)
			a.want(t, http.StatusBadRequest, tc.code)
			if strings.Contains(a.body, "skey") {
				t.Errorf("the response to a refused login has a token: %s", a.body)
			}
		})
	}
}

// TestWaferCredential: an skey is a token like any other, and a request may have only one.
func TestWaferCredential(t *testing.T) {
	f := newWaferFixture(t)
	login := f.waferLoginOf("alice").json(t)["session"].(map[string]any)
	id, skey := fmt.Sprint(login["id"]), fmt.Sprint(login["skey"])
	other := f.waferLoginOf("bob").json(t)["session"].(map[string]any)
	bearer := "Bearer " + f.token("alice")

	for _, tc := range []struct {
		name, path string
		header     []string
		status     int
		code       string // the value of "code"; "-1" is the number
		again      bool   // the body makes the SDKs log in again
	}{
		{"skey", "/orders", []string{"X-WX-Skey", skey}, 200, "", false},
		{"skey and id", "/orders", []string{"X-WX-Skey", skey, "X-WX-Id", id}, 200, "", false},
		{"any case", "/orders", []string{"x-wx-SKEY", skey}, 200, "", false},
		{"optional", "/optional", []string{"X-WX-Skey", skey}, 200, "", false},
		{"a call of the API", pub + "/session", []string{"X-WX-Skey", skey}, 200, "", false},
		{"none", "/orders", nil, 401, "missing_token", true},
		{"an id alone", "/orders", []string{"X-WX-Id", id}, 401, "missing_token", true},
		{"an empty skey", "/orders", []string{"X-WX-Skey", ""}, 401, "missing_token", true},
		{"nonsense", "/orders", []string{"X-WX-Skey", "undefined"}, 401, "-1", true},
		{"nonsense where optional", "/optional", []string{"X-WX-Skey", "undefined"}, 401, "-1", true},
		{"another session's id", "/orders", []string{"X-WX-Skey", skey, "X-WX-Id", fmt.Sprint(other["id"])}, 401, "-1", true},
		{"nonsense as Bearer", "/orders", []string{"Authorization", "Bearer nonsense"}, 401, "invalid_token", true},
		{"Bearer too", "/orders", []string{"X-WX-Skey", skey, "Authorization", bearer}, 400, "invalid_request", false},
		{"Bearer too, where optional", "/optional", []string{"X-WX-Skey", skey, "Authorization", bearer}, 400, "invalid_request", false},
		{"a query parameter too", "/orders?access_token=x", []string{"X-WX-Skey", skey}, 400, "invalid_request", false},
		{"twice", "/orders", []string{"X-WX-Skey", skey, "X-WX-Skey", skey}, 400, "invalid_request", false},
		{"a list", "/orders", []string{"X-WX-Skey", skey + ", " + skey}, 400, "invalid_request", false},
		{"another spelling", "/orders", []string{"X_WX_Skey", skey}, 401, "missing_token", true},
		{"nonsense at a call of the API", pub + "/session", []string{"X-WX-Skey", "undefined"}, 401, "-1", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := f.do("GET", tc.path, "", tc.header...)
			if a.status != tc.status {
				t.Fatalf("status %d, want %d: %s", a.status, tc.status, a.body)
			}
			if tc.status == 200 {
				return
			}
			body := a.json(t)
			if got := fmt.Sprint(body["code"]); got != tc.code {
				t.Errorf("code %s, want %s", got, tc.code)
			}
			if again := body[waferMagic] == 1.0 && body["error"] == "ERR_INVALID_SESSION"; again != tc.again || body[waferMagic] != nil != tc.again {
				t.Errorf("makes the SDKs log in again: %v, want %v: %s", again, tc.again, a.body)
			}
		})
	}
}

// TestWaferHeadersStayOut: no header of the SDKs reaches an upstream, on any path, and none
// sets an identity.
func TestWaferHeadersStayOut(t *testing.T) {
	f := newWaferFixture(t)
	skey := fmt.Sprint(f.waferLoginOf("alice").json(t)["session"].(map[string]any)["skey"])
	spoof := []string{
		"X-WX-Id", "victim", "X-WX-Code", "code", "X-WX-Encrypted-Data", "data", "X-WX-IV", "iv",
		"X-WX-OPENID", "victim", "X_WX_SKEY", "other", "X-WX-Skey-", "other", "Connection", "X-WX-Openid, X-WX-Skey",
	}
	for path, want := range map[string]string{
		"/public":   "",
		"/optional": "",
		"/orders":   wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice"),
	} {
		header := spoof
		if want != "" {
			header = append([]string{"X-WX-Skey", skey}, spoof[2:]...) // without X-WX-Id, which names no session
		}
		f.do("GET", path, "", header...).want(t, http.StatusOK, "")
		r := f.upstream.last(t)
		for name, values := range r.Header {
			folded := strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
			for _, part := range []string{"skey", "wxid", "wxcode", "wxiv", "encrypted"} {
				if strings.Contains(folded, part) {
					t.Errorf("%s: the upstream received %s: %q", path, name, values)
				}
			}
		}
		if got := r.Header.Get("X-Wx-Openid"); got != want {
			t.Errorf("%s: openid %q, want %q", path, got, want)
		}
	}

	f.config = strings.Replace(waferSite, "compat wafer /weapp/login", "", 1)
	f.load()
	f.do("GET", "/orders", "", "X-WX-Skey", skey).want(t, http.StatusUnauthorized, "missing_token")
	if a := f.do("GET", "/orders", ""); strings.Contains(a.body, waferMagic) {
		t.Errorf("a site without compat wafer responds as Wafer does: %s", a.body)
	}
	f.waferLoginOf("alice").want(t, http.StatusUnauthorized, "missing_token")
}

// TestWaferLoginPath: by default the login's path is under the prefix, and the path of another
// call is refused.
func TestWaferLoginPath(t *testing.T) {
	f := newWaferFixture(t)
	f.config = strings.Replace(waferSite, "compat wafer /weapp/login", "compat wafer\nprefix /pub/", 1)
	f.load()
	f.do("GET", "/pub/login", "", "X-WX-Code", f.code("alice")).want(t, http.StatusOK, "")
	f.config = strings.Replace(waferSite, "compat wafer /weapp/login", "compat wafer "+pub+"/decode", 1)
	if err := f.tryLoad(); err == nil || !strings.Contains(err.Error(), "compat wafer: "+pub+"/decode is already the call decode") {
		t.Errorf("loading: %v", err)
	}
}

// TestAttackCorpusWafer: with compat wafer, which reads headers of the reserved prefix, no
// attack succeeds.
func TestAttackCorpusWafer(t *testing.T) {
	a := newAttacked(t, strings.Replace(attackGate, "wxgate {", "wxgate {\n\t\tcompat wafer", 1), "")
	expectBlocked(t, a.run(only("identity", "removal", "errors", "token"), wire.H1))
}
