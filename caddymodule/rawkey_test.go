package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// rawKeySite accepts raw session keys for the first app, and not for the second.
var rawKeySite = strings.Replace(twoAppsSite, "api {{.API}}\n\t\t}\n\t\tapp", "api {{.API}}\n\t\t\traw_session_key insecure\n\t\t}\n\t\tapp", 1)

const rawKey = "tiihtNczf5v6AKRyjwEUhQ=="

func newRawKeyFixture(t *testing.T) *fixture {
	t.Helper()
	t.Setenv("WXGATE_TEST_OTHER_SECRET", "00000000000000000000000000000002")
	f := newStoppedFixture(t, wechatsim.Config{Apps: []wechatsim.App{
		{ID: firstApp, Secret: wechatsim.DefaultApp.Secret},
		{ID: secondApp, Secret: "00000000000000000000000000000002"},
	}}, strings.Replace(rawKeySite, "wxgate {\n\t\t\trequire app", "wxgate {\n\t\t\theaders {\n\t\t\t\tphone X-WX-PHONE\n\t\t\t}\n\t\t\trequire app", 1))
	f.load()
	return f
}

// rawBody returns the body that an old client posts, which has WeChat's session_key.
func (f *fixture) rawBody(app, plain, key, more string) string {
	f.t.Helper()
	sealed, err := f.sim.Sim.EncryptJSON(wechatsim.User{App: app, Name: "alice"}, []byte(plain), wechatsim.Sealing{SessionKey: rawKey})
	if err != nil {
		f.t.Fatal(err)
	}
	return fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q%s}`, sealed.EncryptedData, sealed.IV, key, more)
}

const rawPhone = `{"phoneNumber":"10012345678","purePhoneNumber":"10012345678","countryCode":"86"}`

// TestRawSessionKey: an old client that has WeChat's session_key gets the decrypted data, but no
// token, session or header gets the phone number.
func TestRawSessionKey(t *testing.T) {
	f := newRawKeyFixture(t)
	first := fmt.Sprintf(`,"appid":%q`, firstApp)
	a := f.do("POST", pub+"/decode", f.rawBody(firstApp, rawPhone, rawKey, first))
	a.want(t, http.StatusOK, "")
	if verified, ok := a.json(t)["verified"].(bool); !ok || verified || a.str(t, "purePhoneNumber") != "10012345678" {
		t.Errorf("decode: %s", a.body)
	}

	login := f.loginTo(firstApp)
	bearer := "Bearer " + login.str(t, "access_token")
	a = f.do("POST", pub+"/decode", f.rawBody(firstApp, rawPhone, rawKey, ""), "Authorization", bearer)
	a.want(t, http.StatusOK, "")
	if verified, ok := a.json(t)["verified"].(bool); !ok || verified || strings.Contains(a.body, "token") {
		t.Errorf("with a token: %s", a.body)
	}
	refreshed := f.do("POST", pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, login.str(t, "refresh_token")))
	for _, token := range []string{bearer, "Bearer " + refreshed.str(t, "access_token")} {
		f.do("GET", "/orders", "", "Authorization", token).want(t, http.StatusOK, "")
		if phone := f.upstream.last(t).Header["X-Wx-Phone"]; phone != nil {
			t.Errorf("a phone number that the client encrypted itself reached the upstream: %q", phone)
		}
		session := f.do("GET", pub+"/session", "", "Authorization", token)
		if verified, _ := session.json(t)["phone_verified"].(bool); verified {
			t.Errorf("the session has a verified phone: %s", session.body)
		}
	}
}

// TestRawSessionKeyUserInfo: data that a client encrypted itself cannot claim to be verified.
func TestRawSessionKeyUserInfo(t *testing.T) {
	f := newRawKeyFixture(t)
	first := fmt.Sprintf(`,"appid":%q`, firstApp)
	openid := wechatsim.OpenIDFor(firstApp, "alice")
	for _, tc := range []struct{ name, member string }{
		{"honest", `"nickName":"Band"`},
		{"claims to be verified", `"verified":true,"nickName":"Band"`},
		{"in another case", `"Verified":true,"nickName":"Band"`},
		{"as text", `"VERIFIED":"yes","nickName":"Band"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := f.do("POST", pub+"/userInfo", f.rawBody(firstApp, fmt.Sprintf(`{"openId":%q,%s}`, openid, tc.member), rawKey, first))
			a.want(t, http.StatusOK, "")
			var got map[string]any
			if err := json.Unmarshal([]byte(a.body), &got); err != nil || got["nickName"] != "Band" || got["openId"] != openid || got["watermark"] == nil {
				t.Errorf("userInfo: %v %s", err, a.body)
			}
			if verified, ok := got["verified"].(bool); verified || !ok {
				t.Errorf("want verified false: %s", a.body)
			}
			if n := strings.Count(strings.ToLower(a.body), `"verified"`); n != 1 {
				t.Errorf("%d members verified: %s", n, a.body)
			}
		})
	}
	both := f.do("POST", pub+"/userInfo", f.rawBody(firstApp, `{"verified":true,"Verified":true}`, rawKey, first))
	both.want(t, http.StatusBadRequest, "decrypt_failed")
}

func TestRawSessionKeyRefused(t *testing.T) {
	f := newRawKeyFixture(t)
	one, two := "Bearer "+f.loginTo(firstApp).str(t, "access_token"), "Bearer "+f.loginTo(secondApp).str(t, "access_token")
	first, second := fmt.Sprintf(`,"appid":%q`, firstApp), fmt.Sprintf(`,"app_id":%q`, secondApp)
	referer := []string{"Referer", "https://servicewechat.com/" + firstApp + "/7/page-frame.html"}
	of := func(app string) string {
		return fmt.Sprintf(`{"openId":%q,"nickName":"Band"}`, wechatsim.OpenIDFor(app, "alice"))
	}
	spaces := strings.ReplaceAll("++++++++++++++++++++++==", "+", " ")
	for _, tc := range []struct {
		name, path string
		body       string
		header     []string
		status     int
		code       string
	}{
		{"by Referer", pub, f.rawBody(firstApp, rawPhone, rawKey, ""), referer, 200, ""},
		{"the only app of the site", "/one/pub", f.rawBody(firstApp, rawPhone, rawKey, ""), nil, 200, ""},
		{"unpadded", "/one/pub", f.rawBody(firstApp, rawPhone, strings.TrimRight(rawKey, "="), ""), nil, 200, ""},
		{"the token and the body name different apps", pub, f.rawBody(firstApp, rawPhone, rawKey, second), []string{"Authorization", one}, 200, ""},
		{"no app", pub, f.rawBody(firstApp, rawPhone, rawKey, ""), nil, 400, "invalid_request"},
		{"two apps", pub, f.rawBody(firstApp, rawPhone, rawKey, first+second), nil, 400, "invalid_request"},
		{"an app that is a number", pub, f.rawBody(firstApp, rawPhone, rawKey, `,"appid":7`), nil, 400, "invalid_request"},
		{"an app that is a number, with a token", pub, f.rawBody(firstApp, rawPhone, rawKey, `,"appid":7`), []string{"Authorization", one}, 200, ""},
		{"unknown app", pub, f.rawBody(firstApp, rawPhone, rawKey, `,"appid":"wxffffffffffffffff"`), nil, 400, "unknown_app"},
		{"an app without the option", pub, f.rawBody(secondApp, rawPhone, rawKey, second), nil, 401, "session_stale"},
		{"a token of an app without the option", pub, f.rawBody(secondApp, rawPhone, rawKey, first), []string{"Authorization", two}, 401, "session_stale"},
		{"a bad token", pub, f.rawBody(firstApp, rawPhone, rawKey, first), []string{"Authorization", "Bearer x"}, 401, "invalid_token"},
		{"data of another user than the token's", pub, f.rawBody(firstApp, `{"openId":"o-another-user-0000000000000"}`, rawKey, ""), []string{"Authorization", one}, 400, "decrypt_failed"},
		{"data of the token's user", pub, f.rawBody(firstApp, of(firstApp), rawKey, ""), []string{"Authorization", one}, 200, ""},
		{"another key", pub, f.rawBody(firstApp, rawPhone, "AAAAAAAAAAAAAAAAAAAAAA==", first), nil, 400, "decrypt_failed"},
		{"a key of spaces, as plus signs in a form", pub, f.rawBody(firstApp, rawPhone, spaces, first), nil, 401, "session_stale"},
		{"a key of 15 bytes", pub, f.rawBody(firstApp, rawPhone, "AAAAAAAAAAAAAAAAAAAA", first), nil, 401, "session_stale"},
		{"a key of 24 bytes", pub, f.rawBody(firstApp, rawPhone, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", first), nil, 401, "session_stale"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f.do("POST", tc.path+"/decode", tc.body, tc.header...).want(t, tc.status, tc.code)
		})
	}

	f.config = strings.Replace(f.config, "raw_session_key insecure", "", 1)
	f.load()
	body := f.rawBody(firstApp, rawPhone, rawKey, first)
	a, err := f.persist("POST", pub+"/decode", func() string { return body })
	if err != nil {
		t.Fatal(err)
	}
	a.want(t, http.StatusUnauthorized, "session_stale")
}

// TestRawSessionKeyWarns: every load with the option logs a warning.
func TestRawSessionKeyWarns(t *testing.T) {
	const warning = "INSECURE: raw_session_key"
	for option, want := range map[string]bool{"": false, "raw_session_key insecure": true} {
		log, err := newLoadTest(t).validate(goodApp+" {\n\t\t\twatermark 1h\n\t\t\t"+option+"\n\t\t}", "")
		if err != nil {
			t.Fatal(err)
		}
		if warned := strings.Contains(log, warning); warned != want {
			t.Errorf("%q: warned = %v:\n%s", option, warned, log)
		}
	}
	_, err := newLoadTest(t).validateJSON([]byte(`{"admin":{"disabled":true},"apps":{
		"wxgate":{"apps":[{"appid":"wx1111111111111111","secret":"{env.WXGATE_TEST_SECRET}","raw_session_key":"yes"}]}}}`))
	if err == nil || !strings.Contains(err.Error(), `app wx1111111111111111: raw_session_key "yes": write raw_session_key insecure`) {
		t.Errorf("loading JSON with another value: %v", err)
	}
}

func TestRawSessionKeyMetric(t *testing.T) {
	f := newRawKeyFixture(t)
	f.config = strings.NewReplacer("\n\tadmin off", "\n\tadmin off\n\tmetrics", "\n\troute {", "\n\thandle /metrics {\n\t\tmetrics\n\t}\n\troute {").Replace(f.config)
	f.load()
	count := func(outcome string) float64 {
		t.Helper()
		sample := fmt.Sprintf(`wxgate_raw_session_keys_total{outcome=%q} `, outcome)
		for line := range strings.Lines(f.do("GET", "/metrics", "").body) {
			if text, ok := strings.CutPrefix(line, sample); ok {
				n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
		return 0
	}
	good, bad := count("ok"), count("decrypt_failed")
	first := fmt.Sprintf(`,"appid":%q`, firstApp)
	f.do("POST", pub+"/decode", f.rawBody(firstApp, rawPhone, rawKey, first)).want(t, http.StatusOK, "")
	f.do("POST", pub+"/decode", f.rawBody(firstApp, rawPhone, "AAAAAAAAAAAAAAAAAAAAAA==", first)).want(t, http.StatusBadRequest, "decrypt_failed")
	if g, b := count("ok")-good, count("decrypt_failed")-bad; g != 1 || b != 1 {
		t.Errorf("counted %v ok and %v decrypt_failed, want 1 each", g, b)
	}
}
