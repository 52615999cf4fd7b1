package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// alice is the user who logs in.
var alice = wechatsim.User{App: first.ID, Name: "alice"}

// encrypted returns alice's encrypted phone number as members of a body.
func (s *site) encrypted() string {
	s.t.Helper()
	sealed, err := s.sim.EncryptPhone(alice, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf(`"encrypted_data":%q,"iv":%q`, sealed.EncryptedData, sealed.IV)
}

// profile returns alice's encrypted profile, with its signature.
func (s *site) profile() (data, signed string) {
	s.t.Helper()
	sealed, err := s.sim.EncryptProfile(alice, wechatsim.Profile{NickName: "Alice"}, wechatsim.Sealing{})
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf(`"encryptedData":%q,"iv":%q`, sealed.EncryptedData, sealed.IV), fmt.Sprintf(`"rawData":%q,"signature":%q`, sealed.RawData, sealed.Signature)
}

func TestDecodePhone(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	login := s.login(first)
	handle, bearer := `"session_key":"`+login.get("session_key")+`"`, []string{"Authorization", "Bearer " + login.get("access_token")}
	code, err := s.sim.MintPhoneCode(alice, wechatsim.PhoneNumber{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, body string
		headers    []string
		status     int
		code       string
		token      bool // the response has a token
	}{
		{"handle", `{` + handle + `,` + s.encrypted() + `}`, nil, 200, "", false},
		{"token", `{` + s.encrypted() + `}`, bearer, 200, "", true},
		{"handle in camel case", `{"sessionKey":"` + login.get("session_key") + `",` + s.encrypted() + `}`, nil, 200, "", false},
		{"neither", `{` + s.encrypted() + `}`, nil, 401, "missing_token", false},
		{"an invalid token", `{` + handle + `,` + s.encrypted() + `}`, []string{"Authorization", "Bearer x"}, 401, "invalid_token", false},
		{"a made-up handle", `{"session_key":"x",` + s.encrypted() + `}`, nil, 401, "session_stale", false},
		{"two handles", `{` + handle + `,"sessionKey":"x",` + s.encrypted() + `}`, nil, 400, "invalid_request", false},
		{"garbage", `{` + handle + `,"encrypted_data":"AAAAAAAAAAAAAAAAAAAAAA==","iv":"AAAAAAAAAAAAAAAAAAAAAA=="}`, nil, 400, "decrypt_failed", false},
		{"no iv", `{` + handle + `,"encrypted_data":"AAAA"}`, nil, 400, "invalid_request", false},
		{"no data", `{` + handle + `,"iv":"AAAA"}`, nil, 400, "invalid_request", false},
		{"not JSON", `{`, nil, 400, "invalid_request", false},
		{"code and data", `{"code":"x",` + s.encrypted() + `}`, bearer, 400, "invalid_request", false},
		{"a code without a token", `{"code":"x"}`, nil, 401, "missing_token", false},
		{"a made-up code", `{"code":"x"}`, bearer, 400, "invalid_code", false},
		{"a code", `{"code":"` + code.Code + `"}`, bearer, 200, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := s.do(http.MethodPost, pub+"/decode", test.body, test.headers...)
			r.t = t
			r.want(test.status, test.code)
			if test.status != http.StatusOK {
				return
			}
			number := wechatsim.FakePhone(wechatsim.OpenIDFor(first.ID, "alice"))
			if r.get("phoneNumber") != number || r.get("purePhoneNumber") != number || r.get("countryCode") != "86" || !strings.Contains(r.body, `"appid":"`+first.ID+`"`) {
				t.Errorf("the number is %s, want %s", r.body, number)
			}
			if (r.get("access_token") != "") != test.token || strings.Contains(r.body, `"verified"`) {
				t.Errorf("the response is %s", r.body)
			}
		})
	}
	// From now on, the session has the number.
	if r := s.do(http.MethodGet, pub+"/session", "", bearer...); strings.Contains(r.body, `"phone_verified":true`) {
		t.Error("an old token has the number")
	}
	r := s.do(http.MethodPost, pub+"/refresh", `{"refresh_token":"`+login.get("refresh_token")+`"}`)
	if r := s.do(http.MethodGet, pub+"/session", "", "Authorization", "Bearer "+r.get("access_token")); !strings.Contains(r.body, `"phone_verified":true`) {
		t.Errorf("a refreshed token does not have the number: %s", r.body)
	}
}

func TestUserInfo(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	bearer := s.bearer()
	data, signed := s.profile()
	for _, test := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"signed", `{` + data + `,` + signed + `}`, 200, ""},
		{"not signed", `{` + data + `}`, 200, ""},
		{"a wrong signature", `{` + data + `,"rawData":"{}","signature":"` + strings.Repeat("0", 40) + `"}`, 400, "decrypt_failed"},
		{"no signature", `{` + data + `,"raw_data":"{}"}`, 400, "invalid_request"},
		{"an empty signature", `{` + data + `,"signature":"00"}`, 400, "invalid_request"},
		{"no data", `{}`, 400, "invalid_request"},
		{"not JSON", `x`, 400, "invalid_request"},
		{"two spellings", `{` + data + `,` + signed + `,"raw_data":"{}"}`, 400, "invalid_request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := s.do(http.MethodPost, pub+"/userInfo", test.body, bearer...)
			r.t = t
			r.want(test.status, test.code)
			if test.status == http.StatusOK && (r.get("nickName") != "Alice" || r.header.Get("Cache-Control") != "no-store") {
				t.Errorf("the profile is %s", r.body)
			}
		})
	}
}

// rawKey returns alice's session_key of WeChat.
func (s *site) rawKey() string {
	s.t.Helper()
	key, err := s.sim.SessionKey(alice)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

func TestRawSessionKey(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(_ *site, c *Config) { c.RawKeys = map[auth.AppID]struct{}{auth.AppID(first.ID): {}} })
	bearer := s.bearer()
	key := `"session_key":"` + s.rawKey() + `"`
	appid := func(id string) string { return `,"appid":"` + id + `"` }
	data, _ := s.profile()
	for _, test := range []struct {
		name, path, body string
		headers          []string
		status           int
		code             string
	}{
		{"with appid", "/decode", `{` + key + appid(first.ID) + `,` + s.encrypted() + `}`, nil, 200, ""},
		{"with a token", "/decode", `{` + key + `,` + s.encrypted() + `}`, bearer, 200, ""},
		{"profile", "/userInfo", `{` + key + appid(first.ID) + `,` + data + `}`, nil, 200, ""},
		{"an app that does not accept them", "/decode", `{` + key + appid(second.ID) + `,` + s.encrypted() + `}`, nil, 401, "session_stale"},
		{"no app", "/decode", `{` + key + `,` + s.encrypted() + `}`, nil, 400, "invalid_request"},
		{"an appid that is a number", "/decode", `{` + key + `,"appid":1,` + s.encrypted() + `}`, nil, 400, "invalid_request"},
		{"two apps", "/decode", `{` + key + appid(first.ID) + `,"appId":"x",` + s.encrypted() + `}`, nil, 400, "invalid_request"},
		{"another key", "/decode", `{"session_key":"AAAAAAAAAAAAAAAAAAAAAA=="` + appid(first.ID) + `,` + s.encrypted() + `}`, nil, 400, "decrypt_failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := s.do(http.MethodPost, pub+test.path, test.body, test.headers...)
			r.t = t
			r.want(test.status, test.code)
			if test.status == http.StatusOK && (!strings.Contains(r.body, `"verified":false`) || r.get("access_token") != "") {
				t.Errorf("the response is %s", r.body)
			}
		})
	}
	// A site without the option does not accept raw keys.
	s = newSite(t, nil)
	s.login(first)
	r := s.do(http.MethodPost, pub+"/decode", `{"session_key":"`+s.rawKey()+`","appid":"`+first.ID+`",`+s.encrypted()+`}`)
	r.want(http.StatusUnauthorized, "session_stale")
}

func TestMarkUnverified(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{}`:                                `{"verified":false}`,
		`{"a":1}`:                           `{"verified":false,"a":1}`,
		`{"verified":true}`:                 `{"verified":false}`,
		`{"VERIFIED":true,"b":2}`:           `{"verified":false,"b":2}`,
		`{"verified":{"x":1},"openId":"o"}`: `{"verified":false,"openId":"o"}`,
	} {
		got, err := markUnverified([]byte(in))
		var a, b any
		if err != nil || json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(want), &b) != nil || fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%s: got %s, %v, want %s", in, got, err, want)
		}
	}
	if _, err := markUnverified([]byte(`[1]`)); err == nil {
		t.Error("an array can be marked")
	}
}
