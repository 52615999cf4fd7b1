package gateway

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/limit"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

func newWaferSite(t *testing.T) *site {
	t.Helper()
	return newSite(t, func(_ *site, c *Config) {
		c.Guard.Wafer, c.WaferLogin = true, "/weapp/login"
		delete(c.Guard.Admitted, auth.AppID(second.ID))
		c.Limits = limit.New(limit.Config{Phone: limit.Rate{N: 9, Per: time.Minute}, Decode: limit.Rate{N: 3, Per: time.Hour}, Inflight: 9})
	})
}

func TestWaferLogin(t *testing.T) {
	t.Parallel()
	s := newWaferSite(t)
	sealed := func() []string {
		data, err := s.sim.EncryptProfile(alice, wechatsim.Profile{NickName: "Alice"}, wechatsim.Sealing{})
		if err != nil {
			t.Fatal(err)
		}
		return []string{"X-WX-Encrypted-Data", data.EncryptedData, "X-WX-IV", data.IV}
	}
	code := func() []string { return []string{"X-WX-Code", s.code(first)} }
	for _, test := range []struct {
		name    string
		method  string
		headers func() []string
		status  int
		code    string // also the member error
		want    string // in the body
	}{
		{"code", "GET", code, 200, "", `"openId":"` + wechatsim.OpenIDFor(first.ID, "alice") + `"`},
		{"POST", "POST", code, 200, "", `"openId"`},
		{"with a profile", "GET", func() []string { return append(code(), sealed()...) }, 200, "", `"nickName":"Alice"`},
		{"with data of another key", "GET", func() []string {
			return append(code(), "X-WX-Encrypted-Data", "AAAAAAAAAAAAAAAAAAAAAA==", "X-WX-IV", "AAAAAAAAAAAAAAAAAAAAAA==")
		}, 400, "decrypt_failed", ""},
		{"no headers", "GET", func() []string { return nil }, 400, "invalid_request", "X-WX-Code"},
		{"no code", "GET", func() []string { return []string{"X-WX-Id", "x"} }, 400, "invalid_request", "X-WX-Code"},
		{"two codes", "GET", func() []string { return append(code(), code()...) }, 400, "invalid_request", "once"},
		{"data without iv", "GET", func() []string { return append(code(), sealed()[:2]...) }, 400, "invalid_request", "together"},
		{"iv without data", "GET", func() []string { return append(code(), sealed()[2:]...) }, 400, "invalid_request", "together"},
		{"a made-up code", "GET", func() []string { return []string{"X-WX-Code", "x"} }, 401, "invalid_code", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := s.do(test.method, "/weapp/login", "", test.headers()...)
			r.t = t
			r.want(test.status, test.code)
			if !strings.Contains(r.body, test.want) || !strings.Contains(r.body, `"F2C224D4-2BCE-4C64-AF9F-A6D872000D1A":1`) {
				t.Errorf("the response is %s, want %s in it", r.body, test.want)
			}
			if test.code != "" && r.get("error") != test.code {
				t.Errorf("the response is %s", r.body)
			}
		})
	}
	// The third attempt to decrypt was the last allowed attempt: the login is undone.
	data := append(code(), sealed()...)
	s.do(http.MethodGet, "/weapp/login", "", data...).want(http.StatusOK, "")
	s.do(http.MethodGet, "/weapp/login", "", append(code(), sealed()...)...).want(http.StatusTooManyRequests, "rate_limited")
	s.do(http.MethodPut, "/weapp/login", "").want(http.StatusMethodNotAllowed, "")
}

func TestWaferSkey(t *testing.T) {
	t.Parallel()
	s := newWaferSite(t)
	login := s.do(http.MethodGet, "/weapp/login", "", "X-WX-Code", s.code(first))
	skey := login.body[strings.Index(login.body, `"skey":"`)+8:]
	skey = skey[:strings.Index(skey, `"`)]
	id := login.body[strings.Index(login.body, `"id":"`)+6:]
	id = id[:strings.Index(id, `"`)]
	for _, test := range []struct {
		name    string
		headers []string
		status  int
		body    string // in it
	}{
		{"skey", []string{"X-WX-Skey", skey}, 200, ""},
		{"skey and id", []string{"X-WX-Skey", skey, "X-WX-Id", id}, 200, ""},
		{"the id of another session", []string{"X-WX-Skey", skey, "X-WX-Id", "x"}, 401, `"code":-1`},
		{"a made-up skey", []string{"X-WX-Skey", "x"}, 401, `"error":"ERR_INVALID_SESSION"`},
		{"a made-up Bearer token", []string{"Authorization", "Bearer x"}, 401, `"code":"invalid_token"`},
		{"both", []string{"X-WX-Skey", skey, "Authorization", "Bearer " + skey}, 400, `"code":"invalid_request"`},
		{"two skeys", []string{"X-WX-Skey", skey, "X-WX-Skey", skey}, 400, `"code":"invalid_request"`},
		{"an empty skey", []string{"X-WX-Skey", ""}, 401, `"code":"missing_token"`},
		{"nothing", nil, 401, `"F2C224D4-2BCE-4C64-AF9F-A6D872000D1A":1`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := s.do(http.MethodGet, "/orders", "", test.headers...)
			if r.status != test.status || !strings.Contains(r.body, test.body) {
				t.Errorf("%d %s, want %d with %s", r.status, r.body, test.status, test.body)
			}
			if s.passed != nil && s.passed.Header.Get("X-Wx-Skey") != "" {
				t.Error("the upstream got the skey")
			}
		})
	}
	// A site without the option does not support the SDKs.
	s = newSite(t, nil)
	s.do(http.MethodGet, "/weapp/login", "", "X-WX-Code", "x").want(http.StatusUnauthorized, "missing_token")
	if r := s.do(http.MethodGet, "/orders", "", "X-WX-Skey", skey); r.get("error") != "" {
		t.Errorf("the refusal is %s", r.body)
	}
}

func TestWaferPath(t *testing.T) {
	t.Parallel()
	for path, ok := range map[string]bool{"/weapp/login": true, pub + "/login": true, pub + "/openId": false, KeySetPath: false, "/": false, "x": false} {
		_, err := New(Config{Guard: &Guard{Wafer: true}, Prefix: DefaultPrefix, WaferLogin: path})
		if (err == nil) != ok {
			t.Errorf("%s: %v", path, err)
		}
	}
}
