package caddymodule_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// TestOldMiniProgram: an old client, which only makes the calls openId and decode, gets the
// phone number, and WeChat's session_key is never exposed (design.md section 1).
func TestOldMiniProgram(t *testing.T) {
	f := newFixture(t, site)
	alice := wechatsim.User{Name: "alice"}

	login := f.login("alice")
	handle := login.str(t, "session_key")
	if handle != login.str(t, "sessionKey") || len(handle) < 24 {
		t.Fatalf("session_key and sessionKey must be one handle of 24 characters or more: %s", login.body)
	}
	if got, want := login.str(t, "openId"), wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice"); got != want {
		t.Errorf("openId %q, want %q", got, want)
	}
	if login.header.Get("Cache-Control") != "no-store" {
		t.Errorf("a response with a token may be cached: %v", login.header)
	}

	sealed, err := f.sim.Sim.EncryptPhone(alice, wechatsim.PhoneNumber{Number: "10012345678"}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	decode := f.do("POST", pub+"/decode", fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, sealed.EncryptedData, sealed.IV, handle))
	decode.want(t, http.StatusOK, "")
	if got := decode.str(t, "purePhoneNumber"); got != "10012345678" {
		t.Errorf("purePhoneNumber %q", got)
	}
	if strings.Contains(decode.body, "access_token") {
		t.Error("decode with a handle returned an access token")
	}

	key, err := f.sim.Sim.SessionKey(alice)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"login": login.body, "decode": decode.body, "login header": fmt.Sprint(login.header), "store": f.readDatabase()} {
		if strings.Contains(text, key) {
			t.Errorf("WeChat's session_key is in the %s", what)
		}
	}
}

func (f *fixture) readDatabase() string {
	f.t.Helper()
	b, err := os.ReadFile(f.databasePath())
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b)
}

// TestPhoneCode exchanges phone codes: the request has the openid, and WeChat's access token is
// fetched once, and again after WeChat reports that it has expired.
func TestPhoneCode(t *testing.T) {
	f := newFixture(t, site)
	token := f.token("alice")
	const path = "/wxa/business/getuserphonenumber"
	phone := func() response {
		code, err := f.sim.Sim.MintPhoneCode(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{Number: "10012345678"})
		if err != nil {
			t.Fatal(err)
		}
		return f.do("POST", pub+"/decode", fmt.Sprintf(`{"code":%q}`, code.Code), "Authorization", "Bearer "+token)
	}
	first := phone()
	first.want(t, http.StatusOK, "")
	if got := first.str(t, "purePhoneNumber"); got != "10012345678" {
		t.Errorf("purePhoneNumber %q", got)
	}
	phone().want(t, http.StatusOK, "")
	if got := f.sim.Sim.Count("/cgi-bin/stable_token"); got != 1 {
		t.Errorf("two phone calls fetched %d access tokens", got)
	}
	f.sim.Sim.ExpireTokens()
	phone().want(t, http.StatusOK, "")
	if got := f.sim.Sim.Count("/cgi-bin/stable_token"); got != 2 {
		t.Errorf("after the token expired there were %d fetches, want 2", got)
	}
	requests := f.sim.Sim.Requests(path)
	openid := wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice")
	if body := requests[len(requests)-1].Body; !strings.Contains(body, openid) {
		t.Errorf("the request does not have the openid: %s", body)
	}

	session := f.do("GET", pub+"/session", "", "Authorization", "Bearer "+first.str(t, "access_token"))
	session.want(t, http.StatusOK, "")
	if verified, _ := session.json(t)["phone_verified"].(bool); !verified {
		t.Errorf("the session of the new token has no verified phone: %s", session.body)
	}
	f.do("POST", pub+"/decode", `{"code":"x"}`).want(t, http.StatusUnauthorized, "missing_token")
	f.do("POST", pub+"/decode", `{"code":"x"}`, "Authorization", "Bearer "+token).want(t, http.StatusBadRequest, "invalid_code")
}

// The published sample of WeChat (wechat-api.md section 2.1).
const (
	sampleApp        = "wx4f4bc4dec97d474b"
	sampleOpenID     = "oGZUI0egBJY1zhBYw2KhdUfwVJJE"
	sampleSessionKey = "tiihtNczf5v6AKRyjwEUhQ=="
	sampleIV         = "r7BXXKkLb8qrSNn05n0qiA=="
	sampleData       = "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew=="
	samplePlain      = `{"openId":"oGZUI0egBJY1zhBYw2KhdUfwVJJE","nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/aSKcBBPpibyKNicHNTMM0qJVh8Kjgiak2AHWr8MHM4WgMEm7GFhsf8OYrySdbvAMvTsw3mo8ibKicsnfN5pRjl1p8HQ/0","unionId":"ocMvos6NjeKLIBqg5Mr9QjxrP1FA","watermark":{"timestamp":1477314187,"appid":"wx4f4bc4dec97d474b"}}`
)

const sampleSite = `
{
	admin off
	persist_config off
	storage file_system {{.Dir}}/caddy
	wxgate {
		app wx4f4bc4dec97d474b {env.WXGATE_TEST_SECRET} {
			api {{.API}}
			watermark 0
		}
		store bolt {{.Dir}}/wxgate.db
	}
}
http://{{.Addr}} {
	wxgate
	reverse_proxy {{.Upstream}}
}
`

// TestPublishedSample decrypts WeChat's published sample in the running gateway.
func TestPublishedSample(t *testing.T) {
	app := wechatsim.App{ID: sampleApp, Secret: wechatsim.DefaultApp.Secret}
	f := newStoppedFixture(t, wechatsim.Config{Apps: []wechatsim.App{app}}, sampleSite)
	f.load()
	user := wechatsim.User{App: sampleApp, OpenID: sampleOpenID}
	code, err := f.sim.Sim.MintCode(user, wechatsim.Login{SessionKey: sampleSessionKey})
	if err != nil {
		t.Fatal(err)
	}
	login := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, code.Code))
	login.want(t, http.StatusOK, "")
	bearer := "Bearer " + login.str(t, "access_token")

	body := fmt.Sprintf(`{"encryptedData":%q,"iv":%q}`, sampleData, sampleIV)
	info := f.do("POST", pub+"/userInfo", body, "Authorization", bearer)
	info.want(t, http.StatusOK, "")
	if info.body != samplePlain {
		t.Errorf("the decrypted sample is\n%s\nwant\n%s", info.body, samplePlain)
	}

	raw := `{"nickName":"Band"}`
	signed := fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"raw_data":%q,"signature":%q}`, sampleData, sampleIV, raw, wechatsim.DataSignature(raw, sampleSessionKey))
	f.do("POST", pub+"/userInfo", signed, "Authorization", bearer).want(t, http.StatusOK, "")
	forged := strings.Replace(signed, "Band", "Bend", 1)
	f.do("POST", pub+"/userInfo", forged, "Authorization", bearer).want(t, http.StatusBadRequest, "decrypt_failed")
}

// TestGuard checks the headers that an upstream gets, and that it gets no request that is refused.
func TestGuard(t *testing.T) {
	f := newFixture(t, site)
	code, err := f.sim.Sim.MintCode(wechatsim.User{Name: "alice"}, wechatsim.Login{UnionID: "union-of-alice"})
	if err != nil {
		t.Fatal(err)
	}
	login := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, code.Code))
	login.want(t, http.StatusOK, "")

	f.do("GET", "/orders", "", "Authorization", "Bearer "+login.str(t, "access_token")).want(t, http.StatusOK, "")
	r := f.upstream.last(t)
	for name, want := range map[string]string{
		"X-Wx-Openid":   login.str(t, "openId"),
		"X-Wx-Appid":    wechatsim.DefaultApp.ID,
		"X-Wx-Unionid":  "union-of-alice",
		"X-Wx-Source":   "wx_client",
		"Authorization": "",
	} {
		if got := r.Header.Get(name); got != want || want != "" && len(r.Header[name]) != 1 {
			t.Errorf("%s: %q, want %q once", name, r.Header[name], want)
		}
	}
	if r.Header.Get("X-Wx-Session") == "" {
		t.Error("no session header")
	}

	f.do("GET", "/orders", "").want(t, http.StatusUnauthorized, "missing_token")
	f.do("GET", "/orders", "", "Authorization", "Bearer nonsense").want(t, http.StatusUnauthorized, "invalid_token")
	if n := f.upstream.count(); n != 0 {
		t.Errorf("%d refused requests reached the upstream", n)
	}
}

// TestErrors checks the status and the error code of each invalid input.
func TestErrors(t *testing.T) {
	f := newFixture(t, site)
	login := f.login("alice")
	handle, bearer := login.str(t, "session_key"), "Bearer "+login.str(t, "access_token")
	iv := "AAAAAAAAAAAAAAAAAAAAAA=="
	user := wechatsim.User{Name: "alice"}
	wrongApp, err := f.sim.Sim.EncryptPhone(user, wechatsim.PhoneNumber{}, wechatsim.Sealing{AppID: "wx_other"})
	if err != nil {
		t.Fatal(err)
	}
	old, err := f.sim.Sim.EncryptPhone(user, wechatsim.PhoneNumber{}, wechatsim.Sealing{Timestamp: f.sim.Sim.Now().AddDate(0, 0, -1)})
	if err != nil {
		t.Fatal(err)
	}
	used := f.code("alice")
	f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, used)).want(t, http.StatusOK, "")
	decode := func(data, iv string) string {
		return fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, data, iv, handle)
	}
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"too long", "POST", "/openId", `{"code":"` + strings.Repeat("x", 9<<10) + `"}`, 413, "invalid_request"},
		{"bad JSON", "POST", "/openId", `{"code":`, 400, "invalid_request"},
		{"duplicate member", "POST", "/openId", `{"code":"a","code":"b"}`, 400, "invalid_request"},
		{"wrong type", "POST", "/openId", `{"code":1}`, 400, "invalid_request"},
		{"an array", "POST", "/openId", `[]`, 400, "invalid_request"},
		{"trailing data", "POST", "/openId", `{"code":"a"}{}`, 400, "invalid_request"},
		{"not UTF-8", "POST", "/openId", "{\"code\":\"\xff\"}", 400, "invalid_request"},
		{"no code", "POST", "/openId", `{}`, 400, "invalid_request"},
		{"empty body", "POST", "/openId", ``, 400, "invalid_request"},
		{"GET", "GET", "/openId", ``, 405, "invalid_request"},
		{"unknown code", "POST", "/openId", `{"code":"0000"}`, 401, "invalid_code"},
		{"used code", "POST", "/openId", fmt.Sprintf(`{"code":%q}`, used), 401, "code_used"},
		{"unknown app", "POST", "/openId", `{"code":"x","appid":"wxffffffffffffffff"}`, 400, "unknown_app"},
		{"two spellings", "POST", "/openId", `{"code":"x","appid":"a","appId":"b"}`, 400, "invalid_request"},
		{"bad base64", "POST", "/decode", decode("!!!!", iv), 400, "invalid_request"},
		{"short iv", "POST", "/decode", decode("AAAAAAAAAAAAAAAAAAAAAA==", "AAAA"), 400, "invalid_request"},
		{"half a block", "POST", "/decode", decode("AAAAAAAA", iv), 400, "invalid_request"},
		{"wrong key", "POST", "/decode", decode("AAAAAAAAAAAAAAAAAAAAAA==", iv), 400, "decrypt_failed"},
		{"another app's data", "POST", "/decode", decode(wrongApp.EncryptedData, wrongApp.IV), 400, "watermark_mismatch"},
		{"old data", "POST", "/decode", decode(old.EncryptedData, old.IV), 400, "watermark_stale"},
		{"no iv", "POST", "/decode", decode("AAAA", ""), 400, "invalid_request"},
		{"raw session key", "POST", "/decode", fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":"tiihtNczf5v6AKRyjwEUhQ=="}`, old.EncryptedData, old.IV), 401, "session_stale"},
		{"no token", "POST", "/decode", `{"encrypted_data":"AAAA","iv":"AAAA"}`, 401, "missing_token"},
		{"bad refresh token", "POST", "/refresh", `{"refresh_token":"x"}`, 401, "invalid_token"},
		{"no refresh token", "POST", "/refresh", `{}`, 400, "invalid_request"},
		{"logout without a token", "POST", "/logout", ``, 401, "missing_token"},
		{"unknown call", "POST", "/unknown", `{}`, 404, "not_found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f.do(tc.method, pub+tc.path, tc.body).want(t, tc.status, tc.code)
		})
	}
	f.do("GET", pub+"/session", "", "Authorization", bearer).want(t, http.StatusOK, "")
}
