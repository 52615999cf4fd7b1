package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/envelope"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// newEnvelopedSite returns a site with the envelope {"errno", "errmsg", "result"} and the code
// 200 for a success.
func newEnvelopedSite(t *testing.T, always bool) *site {
	t.Helper()
	return newSite(t, func(_ *site, c *Config) {
		var err error
		c.Envelope, err = envelope.New(envelope.Config{Code: "errno", Message: "errmsg", Data: "result", OK: jsontext.Value("200"), Always: always})
		if err != nil {
			t.Fatal(err)
		}
		delete(c.Guard.Admitted, auth.AppID(second.ID))
	})
}

// enveloped is a response as a client of such a site reads it.
type enveloped struct {
	Errno  any
	Errmsg string
	Result map[string]any
}

func openEnvelope(t *testing.T, r response) enveloped {
	t.Helper()
	var e enveloped
	decoder := json.NewDecoder(strings.NewReader(r.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil || e.Result == nil {
		t.Fatalf("not enveloped: %v: %d %s", err, r.status, r.body)
	}
	if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("headers %v", r.header)
	}
	return e
}

// TestEnvelopeOfEveryCall tests a success and an error of each of the six calls, with and
// without status 200.
func TestEnvelopeOfEveryCall(t *testing.T) {
	t.Parallel()
	for name, always := range map[string]bool{"status kept": false, "status 200": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newEnvelopedSite(t, always)
			login := openEnvelope(t, s.do(http.MethodPost, pub+"/openId", `{"code":"`+s.code(first)+`"}`))
			text := func(name string) string { v, _ := login.Result[name].(string); return v }
			bearer := []string{"Authorization", "Bearer " + text("access_token")}
			phone, err := s.sim.EncryptPhone(alice, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
			if err != nil {
				t.Fatal(err)
			}
			profile, err := s.sim.EncryptProfile(alice, wechatsim.Profile{NickName: "Alice"}, wechatsim.Sealing{})
			if err != nil {
				t.Fatal(err)
			}
			body := func(data, iv string) string {
				return `{"encrypted_data":"` + data + `","iv":"` + iv + `","session_key":"` + text("session_key") + `"}`
			}
			for _, call := range []struct {
				method, path, body string
				member             string // of the result
				wrong              string // a body that is refused
				status             int
				code               string
			}{
				{"POST", "/openId", `{"code":"` + s.code(first) + `"}`, "openId", `{"code":"x"}`, 401, "invalid_code"},
				{"POST", "/decode", body(phone.EncryptedData, phone.IV), "purePhoneNumber", `{}`, 400, "invalid_request"},
				{"POST", "/userInfo", body(profile.EncryptedData, profile.IV), "nickName", `{}`, 400, "invalid_request"},
				{"POST", "/refresh", `{"refresh_token":"` + text("refresh_token") + `"}`, "refresh_token", `{"refresh_token":"x"}`, 401, "invalid_token"},
				{"GET", "/session", "", "openId", "", 401, "missing_token"},
				{"POST", "/logout", "", "", "", 401, "missing_token"},
			} {
				r := s.do(call.method, pub+call.path, call.body, bearer...)
				ok := openEnvelope(t, r)
				if r.status != http.StatusOK || ok.Errno != 200.0 || ok.Errmsg != "ok" || call.member != "" && ok.Result[call.member] == nil {
					t.Errorf("%s: %d %s", call.path, r.status, r.body)
				}
				var headers []string
				if call.code == "invalid_request" {
					headers = bearer
				}
				r = s.do(call.method, pub+call.path, call.wrong, headers...)
				refused := openEnvelope(t, r)
				if refused.Errno != call.code || refused.Errmsg == "" || refused.Errmsg != refused.Result["detail"] || refused.Result["instance"] != "request-1" || s.shown["code"] != call.code {
					t.Errorf("%s: %d %s", call.path, r.status, r.body)
				}
				status, challenge := call.status, call.status == http.StatusUnauthorized
				if always {
					status, challenge = http.StatusOK, false
				}
				if r.status != status || (r.header.Get("WWW-Authenticate") != "") != challenge {
					t.Errorf("%s: %d %v", call.path, r.status, r.header)
				}
			}
			wrong := s.do(http.MethodPut, pub+"/logout", "")
			if openEnvelope(t, wrong); wrong.header.Get("Allow") != "POST" {
				t.Errorf("PUT: %v", wrong.header)
			}
		})
	}
}

// TestEnvelopeLeavesTheRestAlone: refusals of the guard, revoke, live, ready and the key set
// have no envelope.
func TestEnvelopeLeavesTheRestAlone(t *testing.T) {
	t.Parallel()
	s, plain := newEnvelopedSite(t, true), newSite(t, func(_ *site, c *Config) { delete(c.Guard.Admitted, auth.AppID(second.ID)) })
	for _, request := range []struct{ method, path, body string }{
		{"GET", "/orders", ""}, {"GET", pub + "/nothing", ""}, {"GET", pub + "/live", ""}, {"GET", pub + "/ready", ""},
		{"POST", pub + "/live", ""}, {"POST", pub + "/revoke", `{}`}, {"POST", pub + "/revoke", `{"token":"x"}`}, {"TRACE", pub + "/openId", ""},
	} {
		got, want := s.do(request.method, request.path, request.body), plain.do(request.method, request.path, request.body)
		if got.status != want.status || got.body != want.body || got.header.Get("Content-Type") != want.header.Get("Content-Type") {
			t.Errorf("%s %s: %d %s, want %d %s", request.method, request.path, got.status, got.body, want.status, want.body)
		}
	}
	if r := s.do(http.MethodGet, KeySetPath, ""); !strings.HasPrefix(r.body, `{"keys":`) {
		t.Errorf("the key set is %s", r.body)
	}
}

// TestEnvelopeAndWafer: the Wafer SDKs get their own shape, since they log in again only after
// it.
func TestEnvelopeAndWafer(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(_ *site, c *Config) {
		c.Guard.Wafer, c.WaferLogin = true, "/weapp/login"
		delete(c.Guard.Admitted, auth.AppID(second.ID))
		var err error
		if c.Envelope, err = envelope.New(envelope.Config{Always: true}); err != nil {
			t.Fatal(err)
		}
	})
	login := s.do(http.MethodGet, "/weapp/login", "", "X-WX-Code", s.code(first))
	if !strings.HasPrefix(login.body, `{"code":0,"data":{"skey":`) {
		t.Errorf("the login is %s", login.body)
	}
	refused := s.do(http.MethodGet, pub+"/session", "", "X-WX-Skey", "x")
	if refused.status != http.StatusUnauthorized || !strings.Contains(refused.body, `"code":-1`) || strings.Contains(refused.body, `"data"`) {
		t.Errorf("an SDK's refusal: %d %s", refused.status, refused.body)
	}
	if r := s.do(http.MethodGet, pub+"/session", ""); r.status != http.StatusOK || r.get("code") != "missing_token" || !strings.Contains(r.body, `"data":{`) {
		t.Errorf("another client's refusal: %d %s", r.status, r.body)
	}
}
