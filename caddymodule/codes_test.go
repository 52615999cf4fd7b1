package caddymodule_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

// otherPaths is the heading of docs/api.md for requests that are not calls of the login API.
const otherPaths = "Every other path"

// prefetches is the heading for requests of WeChat's servers.
const prefetches = "Prefetches"

// refusal is a request that a call refuses, and the row of docs/api.md with its code.
type refusal struct {
	call         string // the page's heading
	want         string // status and code
	method, path string
	body         string
	bearer       string
}

func (f *fixture) refused(t *testing.T, page *codesPage, cases []refusal) {
	t.Helper()
	document := clientContract(t)
	for _, tc := range cases {
		t.Run(tc.call+" "+tc.want+" "+tc.path, func(t *testing.T) {
			var header []string
			if tc.bearer != "" {
				header = []string{"Authorization", "Bearer " + tc.bearer}
			}
			a := f.do(tc.method, tc.path, tc.body, header...)
			if got := rowOf(t, a); got != tc.want {
				t.Fatalf("got %s, want %s: %s", got, tc.want, a.body)
			}
			page.saw(t, tc.call, a)
			if tc.call != otherPaths && tc.call != prefetches && a.status != http.StatusMethodNotAllowed {
				path := strings.Replace(tc.path, "/one/pub", pub, 1) // the document has one prefix
				document.checkResponse(t, tc.method, path, tc.body, a, header...)
			}
		})
	}
}

// TestDocumentedCodes causes every error that docs/api.md lists for each call, and compares
// status, code and advice. Errors that are not listed fail the test, and so do listed errors
// that do not occur.
func TestDocumentedCodes(t *testing.T) {
	page := readCodes(t)
	f := newCodesFixture(t)
	login := f.loginTo(firstApp)
	sealed := f.sealedPhone(t, wechatsim.Sealing{})
	eventually(t, "the login is too old for /transfer", func() bool {
		return f.do("GET", "/transfer", "", "Authorization", "Bearer "+login.str(t, "access_token")).status == http.StatusUnauthorized
	})
	f.refused(t, page, f.wrongRequests(t, login, sealed))
	f.refused(t, page, f.wrongTokens(t, sealed))
	f.refused(t, page, f.wrongData(t, login))
	f.refused(t, page, f.wrongPrefetches(t, login))
	f.weChatFails(t, page, login.str(t, "access_token"))
	t.Run("limited", func(t *testing.T) { limitedUser(t, page) })
	t.Run("expired", func(t *testing.T) { expiredTokens(t, page) })
	t.Run("replaced", func(t *testing.T) { replacedSession(t, page) })
	t.Run("budget", func(t *testing.T) { exhaustedBudget(t, page) })
	t.Run("store", func(t *testing.T) { storeFails(t, page) })
	t.Run("web", func(t *testing.T) { webRefusals(t, page) })
	page.complete(t)
}

// newCodesFixture starts a gateway with two mini programs on WeChat and one on WeCom. Below
// /one only the first is admitted, and its old clients may send WeChat's session_key.
func newCodesFixture(t *testing.T) *fixture {
	t.Helper()
	t.Setenv("WXGATE_TEST_OTHER_SECRET", "00000000000000000000000000000002")
	config := wechatsim.Config{Apps: []wechatsim.App{
		{ID: firstApp, Secret: wechatsim.DefaultApp.Secret},
		{ID: secondApp, Secret: "00000000000000000000000000000002"},
		weCom(),
	}}
	app := weCom()
	options := fmt.Sprintf("app %s %s {\nplatform wecom %s\napi {{.API}}%s\n}\nstore bolt", app.ID, app.Secret, app.MiniProgram, app.Platform.Prefix())
	f := newStoppedFixture(t, config, strings.NewReplacer(
		"store bolt", options, "prefix /one/pub", "prefix /one/pub\nprefetch /one/boot", "require app", "prefetch /boot\nrequire phone on /pay/*\nrequire unionid on /union\nrequire fresh 1s on /transfer\nrequire risk 3 on /coupon\nrequire app",
		"raw_session_key insecure", "raw_session_key insecure\nrisk marketing",
	).Replace(rawKeySite))
	if err := f.sim.Sim.SetRiskRank(wechatsim.User{App: firstApp, Name: "alice"}, 4); err != nil {
		t.Fatal(err)
	}
	f.load()
	return f
}

func weCom() wechatsim.App {
	for _, app := range wechatsim.Siblings() {
		if app.Platform == wechatsim.WeCom {
			return app
		}
	}
	panic("the simulator has no app on WeCom")
}

// sealedPhone returns alice's encrypted phone number as members of a body.
func (f *fixture) sealedPhone(t *testing.T, how wechatsim.Sealing) string {
	t.Helper()
	sealed, err := f.sim.Sim.EncryptPhone(wechatsim.User{App: firstApp, Name: "alice"}, wechatsim.PhoneNumber{}, how)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`"encrypted_data":%q,"iv":%q`, sealed.EncryptedData, sealed.IV)
}

// wrongRequests returns invalid requests, and requests with invalid codes.
func (f *fixture) wrongRequests(t *testing.T, login response, sealed string) []refusal {
	t.Helper()
	used := fmt.Sprintf(`{"code":%q,"appid":%q}`, f.codeOf(firstApp), firstApp)
	f.do("POST", pub+"/openId", used).want(t, http.StatusOK, "")
	risky, otherCompany := wechatsim.User{App: firstApp, Name: "mallory"}, wechatsim.Login{CorpID: "ww9999999999999999"}
	if err := f.sim.Sim.SetHighRisk(risky, true); err != nil {
		t.Fatal(err)
	}
	risk, err := f.sim.Sim.MintCode(risky, wechatsim.Login{})
	if err != nil {
		t.Fatal(err)
	}
	company, err := f.sim.Sim.MintCode(platformUser(weCom()), otherCompany)
	if err != nil {
		t.Fatal(err)
	}
	token := login.str(t, "access_token")
	unknown := fmt.Sprintf(`{%s,"session_key":%q,"appid":"wxffffffffffffffff"}`, sealed, rawKey)
	return []refusal{
		{"openId", "400 invalid_request", "POST", pub + "/openId", `{}`, ""},
		{"openId", "400 invalid_request", "GET", pub + "/openId", ``, ""},
		{"openId", "400 invalid_request", "POST", pub + "/openId", strings.Repeat(" ", 9<<10), ""},
		{"openId", "400 unknown_app", "POST", pub + "/openId", `{"code":"x","appid":"wxffffffffffffffff"}`, ""},
		{"openId", "401 invalid_code", "POST", pub + "/openId", `{"code":"0000","appid":"wx0000000000000001"}`, ""},
		{"openId", "401 code_used", "POST", pub + "/openId", used, ""},
		{"openId", "403 risk_blocked", "POST", pub + "/openId", fmt.Sprintf(`{"code":%q,"appid":%q}`, risk.Code, firstApp), ""},
		{"openId", "403 forbidden", "POST", pub + "/openId", fmt.Sprintf(`{"code":%q,"appid":%q}`, company.Code, weCom().ID), ""},
		{"decode", "400 invalid_request", "POST", pub + "/decode", `{"code":1}`, ""},
		{"decode", "400 invalid_code", "POST", pub + "/decode", `{"code":"0000"}`, token},
		{"decode", "400 unknown_app", "POST", pub + "/decode", unknown, ""},
		{"userInfo", "400 invalid_request", "POST", pub + "/userInfo", `{}`, ""},
		{"userInfo", "400 unknown_app", "POST", pub + "/userInfo", unknown, ""},
		{"refresh", "400 invalid_request", "POST", pub + "/refresh", `{}`, ""},
		{"logout", "400 invalid_request", "POST", pub + "/logout", `[]`, token},
		{"revoke", "400 invalid_request", "POST", pub + "/revoke", `{}`, ""},
		{"prefetch-token", "400 invalid_request", "GET", pub + "/prefetch-token", ``, token},
		{"session", "400 invalid_request", "POST", pub + "/session", ``, token},
		{otherPaths, "400 invalid_request", "GET", "/pay/../x", ``, token},
		{otherPaths, "404 not_found", "POST", pub + "/openid", `{"code":"x"}`, token},
		{otherPaths, "403 phone_required", "GET", "/pay/1", ``, token},
		{otherPaths, "403 unionid_required", "GET", "/union", ``, token},
		{otherPaths, "403 risk_too_high", "GET", "/coupon", ``, token},
		{otherPaths, "401 login_too_old", "GET", "/transfer", ``, token},
	}
}

// wrongTokens returns requests to every call that requires a token: without a token, with an
// invalid one, one of an ended session and one of an app that is not admitted.
func (f *fixture) wrongTokens(t *testing.T, sealed string) []refusal {
	t.Helper()
	ended, other, twice := f.loginTo(firstApp), f.loginTo(secondApp), f.loginTo(firstApp)
	f.do("POST", pub+"/logout", "", "Authorization", "Bearer "+ended.str(t, "access_token")).want(t, http.StatusNoContent, "")
	refresh := func(login response) string { return fmt.Sprintf(`{"refresh_token":%q}`, login.str(t, "refresh_token")) }
	old := refresh(twice)
	f.do("POST", pub+"/refresh", refresh(f.refresh(twice.str(t, "refresh_token")))).want(t, http.StatusOK, "")
	cases := []refusal{
		{"refresh", "401 invalid_token", "POST", pub + "/refresh", `{"refresh_token":"nonsense"}`, ""},
		{"refresh", "401 session_revoked", "POST", pub + "/refresh", refresh(ended), ""},
		{"refresh", "401 refresh_reused", "POST", pub + "/refresh", old, ""},
		{"refresh", "403 app_not_admitted", "POST", "/one/pub/refresh", refresh(other), ""},
	}
	for _, call := range bearerCalls(sealed) {
		for _, bad := range []struct{ want, token string }{
			{"401 missing_token", ""},
			{"401 invalid_token", "nonsense"},
			{"401 session_revoked", ended.str(t, "access_token")},
			{"403 app_not_admitted", other.str(t, "access_token")},
		} {
			at := call
			at.want, at.bearer, at.path = bad.want, bad.token, strings.Replace(call.path, "/v1.0/", "/one/", 1)
			cases = append(cases, at)
		}
	}
	return cases
}

// bearerCalls returns requests to the calls that require a token, and to a path of the site.
func bearerCalls(sealed string) []refusal {
	return []refusal{
		{call: "decode", method: "POST", path: pub + "/decode", body: "{" + sealed + "}"},
		{call: "userInfo", method: "POST", path: pub + "/userInfo", body: "{" + sealed + "}"},
		{call: "logout", method: "POST", path: pub + "/logout"},
		{call: "session", method: "GET", path: pub + "/session"},
		{call: "prefetch-token", method: "POST", path: pub + "/prefetch-token"},
		{call: otherPaths, method: "GET", path: "/one/orders"},
	}
}

// wrongData returns requests with data that cannot be decrypted, or whose watermark is wrong.
func (f *fixture) wrongData(t *testing.T, login response) []refusal {
	t.Helper()
	var cases []refusal
	for want, body := range map[string]string{
		"401 session_stale":      f.sealedPhone(t, wechatsim.Sealing{}) + `,"session_key":"no handle"`,
		"400 decrypt_failed":     f.sealedPhone(t, wechatsim.Sealing{SessionKey: rawKey}),
		"400 watermark_mismatch": f.sealedPhone(t, wechatsim.Sealing{AppID: "wxother"}),
		"400 watermark_stale":    f.sealedPhone(t, wechatsim.Sealing{Timestamp: f.sim.Sim.Now().AddDate(0, 0, -1)}),
	} {
		for _, call := range []string{"decode", "userInfo"} {
			cases = append(cases, refusal{call, want, "POST", pub + "/" + call, "{" + body + "}", login.str(t, "access_token")})
		}
	}
	return cases
}

// wrongPrefetches returns prefetches that are refused, and one whose response is too large.
func (f *fixture) wrongPrefetches(t *testing.T, login response) []refusal {
	t.Helper()
	token := f.do("POST", pub+"/prefetch-token", "", "Authorization", "Bearer "+login.str(t, "access_token")).str(t, "prefetch_token")
	ended := f.loginTo(firstApp)
	bearer := []string{"Authorization", "Bearer " + ended.str(t, "access_token")}
	over := f.do("POST", pub+"/prefetch-token", "", bearer...).str(t, "prefetch_token")
	f.do("POST", pub+"/logout", "", bearer...).want(t, http.StatusNoContent, "")
	used := f.codeOf(firstApp)
	f.do("GET", bootURL("code", used), "").want(t, http.StatusOK, "")
	f.upstream.respondWith(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 300<<10)) })
	t.Cleanup(func() { f.upstream.respondWith(nil) })
	cases := []refusal{}
	for want, target := range map[string]string{
		"400 invalid_request": bootURL("neither", ""), "400 unknown_app": strings.Replace(bootURL("token", token), firstApp, "wxffffffffffffffff", 1),
		"401 invalid_token": bootURL("token", "nonsense"), "401 session_revoked": bootURL("token", over), "401 invalid_code": bootURL("code", "0000"),
		"401 code_used": bootURL("code", used), "502 response_too_large": bootURL("token", token),
	} {
		cases = append(cases, refusal{prefetches, want, "GET", target, "", ""})
	}
	return cases
}

// weChatFails makes WeChat fail in every way, for a login and for a phone code.
func (f *fixture) weChatFails(t *testing.T, page *codesPage, token string) {
	t.Helper()
	for want, armed := range map[string]fault.Fault{
		"429 rate_limited":       failing(fault.MinuteQuota),
		"500 app_misconfigured":  errcode(48001),
		"502 wechat_unreadable":  failing(fault.HTML),
		"503 wechat_busy":        failing(fault.Busy),
		"503 wechat_unreachable": failing(fault.Reset),
		"504 wechat_timeout":     failing(fault.Timeout),
	} {
		phone, err := f.sim.Sim.MintPhoneCode(wechatsim.User{App: firstApp, Name: "alice"}, wechatsim.PhoneNumber{})
		if err != nil {
			t.Fatal(err)
		}
		login := fmt.Sprintf(`{"code":%q,"appid":%q}`, f.codeOf(firstApp), firstApp)
		for path, tc := range map[string]refusal{
			"/sns/jscode2session":              {"openId", want, "POST", pub + "/openId", login, ""},
			"/wxa/business/getuserphonenumber": {"decode", want, "POST", pub + "/decode", fmt.Sprintf(`{"code":%q}`, phone.Code), token},
		} {
			armed.Path = path
			if err := f.sim.Sim.Arm(armed); err != nil {
				t.Fatal(err)
			}
			f.refused(t, page, []refusal{tc})
			f.sim.Sim.ClearFaults()
		}
	}
}

// limitedUser decodes data more often than the site allows.
func limitedUser(t *testing.T, page *codesPage) {
	f := newFixture(t, limitedSite("limit decode 1/1h"))
	token := f.token("alice")
	body := "{" + f.sealedPhone(t, wechatsim.Sealing{}) + "}"
	f.do("POST", pub+"/userInfo", body, "Authorization", "Bearer "+token).want(t, http.StatusOK, "")
	f.refused(t, page, []refusal{
		{"userInfo", "429 rate_limited", "POST", pub + "/userInfo", body, token},
		{"decode", "429 rate_limited", "POST", pub + "/decode", body, token},
	})
}

// exhaustedBudget exchanges more phone codes than the budget allows.
func exhaustedBudget(t *testing.T, page *codesPage) {
	f := newFixture(t, budgeted(1))
	token := f.token("alice")
	f.decodeCode(f.phoneCode("alice"), token).want(t, http.StatusOK, "")
	f.refused(t, page, []refusal{{"decode", "429 budget_exhausted", "POST", pub + "/decode", fmt.Sprintf(`{"code":%q}`, f.phoneCode("alice")), token}})
}

// replacedSession uses a session that a later login of the user has replaced.
func replacedSession(t *testing.T, page *codesPage) {
	f := newFixture(t, withPrefetch(limitedTo("session_limit 1")))
	login := f.login("alice")
	f.token("alice")
	token := login.str(t, "access_token")
	cases := []refusal{{"refresh", "401 session_replaced", "POST", pub + "/refresh", fmt.Sprintf(`{"refresh_token":%q}`, login.str(t, "refresh_token")), ""}}
	for _, call := range bearerCalls(f.sealedPhone(t, wechatsim.Sealing{})) {
		call.want, call.bearer = "401 session_replaced", token
		cases = append(cases, call)
	}
	f.refused(t, page, cases)
}

// expiredTokens waits until an access token expires, which takes two seconds.
func expiredTokens(t *testing.T, page *codesPage) {
	f := newFixture(t, withPrefetch(shortTokens))
	token := f.token("alice")
	eventually(t, "the access token expires", func() bool {
		return f.do("GET", "/x", "", "Authorization", "Bearer "+token).status == http.StatusUnauthorized
	})
	var cases []refusal
	for _, call := range bearerCalls(f.sealedPhone(t, wechatsim.Sealing{})) {
		call.want, call.bearer = "401 token_expired", token
		cases = append(cases, call)
	}
	f.refused(t, page, cases)
}

// storeFails kills the Redis with the sessions, and waits until no token is admitted.
func storeFails(t *testing.T, page *codesPage) {
	redis := startRedis(t)
	f := newSharedFixture(t, redis, "prefetch /boot\non_stale deny")
	f.load()
	login := f.login("alice")
	token := login.str(t, "access_token")
	sealed := f.sealedPhone(t, wechatsim.Sealing{})
	redis.kill()
	eventually(t, "the token is refused", func() bool {
		return f.do("GET", "/x", "", "Authorization", "Bearer "+token).status == http.StatusServiceUnavailable
	})
	cases := append(bearerCalls(sealed),
		refusal{call: "openId", method: "POST", path: pub + "/openId", body: fmt.Sprintf(`{"code":%q}`, f.code("alice"))},
		refusal{call: "refresh", method: "POST", path: pub + "/refresh", body: fmt.Sprintf(`{"refresh_token":%q}`, login.str(t, "refresh_token"))},
		refusal{call: "revoke", method: "POST", path: pub + "/revoke", body: fmt.Sprintf(`{"token":%q}`, login.str(t, "refresh_token"))},
	)
	for i := range cases {
		cases[i].want, cases[i].bearer = "503 store_unavailable", token
	}
	f.refused(t, page, cases)
}
