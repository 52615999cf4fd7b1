package caddymodule_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

// limitedSite is [site] with limits.
func limitedSite(options string) string {
	return siteWith{handler: options}.String()
}

// TestLoginLimit: logins are counted by the address of the connection, not by a header that any
// client can send.
func TestLoginLimit(t *testing.T) {
	f := newFixture(t, limitedSite("limit login 2/1m"))
	for range 2 {
		f.login("alice")
	}
	a := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("alice")), "X-Forwarded-For", "192.0.2.7")
	a.want(t, http.StatusTooManyRequests, "rate_limited")
	if a.header.Get("Retry-After") == "" {
		t.Error("the refusal has no Retry-After")
	}
	if got := f.sim.Sim.Count("/sns/jscode2session"); got != 2 {
		t.Errorf("WeChat got %d logins", got)
	}
}

// TestLimitOutlivesReload: a reload does not reset the counters, unless it changes the limit.
func TestLimitOutlivesReload(t *testing.T) {
	f := newFixture(t, limitedSite("limit login 2/1h"))
	refused := func() {
		t.Helper()
		f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("alice"))).want(t, http.StatusTooManyRequests, "rate_limited")
	}
	f.login("alice")
	f.load()
	f.login("alice")
	refused()
	f.config = limitedSite("limit login 2/1h\n\t\toptional /feed")
	f.load()
	refused()
	f.config = limitedSite("limit login 1/1h")
	f.load()
	f.login("alice")
	refused()
}

// TestPhoneLimit: phone codes, which may cost money, are counted by user.
func TestPhoneLimit(t *testing.T) {
	f := newFixture(t, limitedSite("limit phone 1/1h"))
	alice, bob := "Bearer "+f.token("alice"), "Bearer "+f.token("bob")
	decode := func(name, bearer string) response {
		code, err := f.sim.Sim.MintPhoneCode(wechatsim.User{Name: name}, wechatsim.PhoneNumber{})
		if err != nil {
			t.Fatal(err)
		}
		return f.do("POST", pub+"/decode", fmt.Sprintf(`{"code":%q}`, code.Code), "Authorization", bearer)
	}
	decode("alice", alice).want(t, http.StatusOK, "")
	decode("alice", "Bearer "+f.token("alice")).want(t, http.StatusTooManyRequests, "rate_limited")
	decode("bob", bob).want(t, http.StatusOK, "")
}

// TestInflightLimit: while WeChat does not respond, logins beyond the limit are refused at once.
func TestInflightLimit(t *testing.T) {
	f := newFixture(t, limitedSite("limit inflight 1"))
	if err := f.sim.Sim.Arm(fault.Fault{Path: "/sns/jscode2session", Kind: fault.Timeout, Times: 1}); err != nil {
		t.Fatal(err)
	}
	first := make(chan response, 1)
	code := f.code("alice")
	go func() {
		a, err := f.try("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, code))
		if err != nil {
			t.Error(err)
		}
		first <- a
	}()
	eventually(t, "the first login reaches WeChat", func() bool { return f.sim.Sim.Count("/sns/jscode2session") > 0 })
	f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("bob"))).want(t, http.StatusTooManyRequests, "rate_limited")
	a := <-first
	a.want(t, http.StatusGatewayTimeout, "wechat_timeout")
	f.login("bob")
}

// TestDecodeLimit: attempts to decrypt are counted by user, whether they succeed or not, with a
// token or a handle.
func TestDecodeLimit(t *testing.T) {
	f := newFixture(t, limitedSite("limit decode 2/1h"))
	alice, bob := f.login("alice"), f.login("bob")
	sealed := f.encryptedPhone(wechatsim.User{Name: "alice"}, wechatsim.Sealing{})
	f.decode(sealed, alice.str(t, "session_key")).want(t, http.StatusOK, "")
	body := fmt.Sprintf(`{"encrypted_data":%q,"iv":%q}`, sealed.EncryptedData, sealed.IV)
	bearer := "Bearer " + alice.str(t, "access_token")
	f.do("POST", pub+"/userInfo", body, "Authorization", bearer).want(t, http.StatusOK, "")
	f.do("POST", pub+"/userInfo", body, "Authorization", bearer).want(t, http.StatusTooManyRequests, "rate_limited")
	f.decode(sealed, alice.str(t, "session_key")).want(t, http.StatusTooManyRequests, "rate_limited")
	f.decode(sealed, bob.str(t, "session_key")).want(t, http.StatusBadRequest, "decrypt_failed")
}

// TestLockedSessionKey: after too many failures to decrypt in a day, the user must wait, even
// after a login.
func TestLockedSessionKey(t *testing.T) {
	f := newFixture(t, limitedSite("limit decode 1000/1m"))
	alice := wechatsim.User{Name: "alice"}
	if err := f.sim.Sim.Arm(fault.Fault{Path: "/wxa/resetusersessionkey", Kind: fault.ErrCode, ErrCode: 87007}); err != nil {
		t.Fatal(err)
	}
	stale := f.encryptedPhone(alice, wechatsim.Sealing{SessionKey: "AAAAAAAAAAAAAAAAAAAAAA=="})
	for range 4 {
		handle := f.login("alice").str(t, "session_key")
		for range 16 {
			f.decode(stale, handle).want(t, http.StatusBadRequest, "decrypt_failed")
		}
	}
	handle := f.login("alice").str(t, "session_key")
	a := f.decode(f.encryptedPhone(alice, wechatsim.Sealing{}), handle)
	a.want(t, http.StatusTooManyRequests, "rate_limited")
	if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || seconds > 24*60*60 {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
}

// TestEncryptedPhoneUnverified: an unverified number is returned as such, and is in no session,
// token or header. A number from a phone code is verified even so.
func TestEncryptedPhoneUnverified(t *testing.T) {
	f := newFixture(t, strings.Replace(limitedSite("headers {\n\t\t\tphone X-WX-PHONE\n\t\t}"), "api {{.API}}", "api {{.API}}\n\t\t\tencrypted_phone unverified", 1))
	alice := wechatsim.User{Name: "alice"}
	login := f.login("alice")
	bearer := "Bearer " + login.str(t, "access_token")
	sealed := f.encryptedPhone(alice, wechatsim.Sealing{})
	body := fmt.Sprintf(`{"encrypted_data":%q,"iv":%q}`, sealed.EncryptedData, sealed.IV)
	a := f.do("POST", pub+"/decode", body, "Authorization", bearer)
	a.want(t, http.StatusOK, "")
	if verified, ok := a.json(t)["verified"].(bool); !ok || verified || a.json(t)["access_token"] != nil || a.str(t, "phoneNumber") != ownNumber {
		t.Errorf("got %s", a.body)
	}
	refreshed := f.refresh(login.str(t, "refresh_token"))
	f.do("GET", "/x", "", "Authorization", "Bearer "+refreshed.str(t, "access_token")).want(t, http.StatusOK, "")
	if got := f.upstream.last(t).Header.Get("X-Wx-Phone"); got != "" {
		t.Errorf("the upstream got the phone number %q", got)
	}
	code, err := f.sim.Sim.MintPhoneCode(alice, wechatsim.PhoneNumber{Number: ownNumber})
	if err != nil {
		t.Fatal(err)
	}
	verified := f.do("POST", pub+"/decode", fmt.Sprintf(`{"code":%q}`, code.Code), "Authorization", bearer)
	f.do("GET", "/x", "", "Authorization", "Bearer "+verified.str(t, "access_token")).want(t, http.StatusOK, "")
	if got := f.upstream.last(t).Header.Get("X-Wx-Phone"); got != "+86"+ownNumber {
		t.Errorf("the upstream got the phone number %q", got)
	}
}
