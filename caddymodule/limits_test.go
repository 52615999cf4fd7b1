package caddymodule_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// limited is [site] with limits.
func limitedSite(words string) string {
	return strings.Replace(site, "\twxgate\n\treverse_proxy", "\twxgate {\n"+words+"\n\t}\n\treverse_proxy", 1)
}

// TestLoginLimit counts logins by the address of the connection: a header that
// anybody can write does not buy a second allowance.
func TestLoginLimit(t *testing.T) {
	f := newFixture(t, limitedSite("limit login 2/1m"))
	for range 2 {
		f.login("alice")
	}
	a := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("alice")), "X-Forwarded-For", "192.0.2.7")
	a.want(t, http.StatusTooManyRequests, "rate_limited")
	if a.header.Get("Retry-After") == "" {
		t.Error("a refusal that does not say when to come back")
	}
	if got := f.sim.Sim.Count("/sns/jscode2session"); got != 2 {
		t.Errorf("WeChat was asked %d times", got)
	}
}

// TestLimitOutlivesReload has a reload give nobody a second allowance, unless it
// changes the limit.
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

// TestPhoneLimit counts phone codes by user: each may cost money.
func TestPhoneLimit(t *testing.T) {
	f := newFixture(t, limitedSite("limit phone 1/1h"))
	alice, bob := "Bearer "+f.token("alice"), "Bearer "+f.token("bob")
	decode := func(name, bearer string) answer {
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

// TestInflightLimit has WeChat hang: what is beyond the bound is refused at once.
func TestInflightLimit(t *testing.T) {
	f := newFixture(t, limitedSite("limit inflight 1"))
	if err := f.sim.Sim.Arm(wechatsim.Fault{Path: "/sns/jscode2session", Kind: wechatsim.FaultTimeout, Times: 1}); err != nil {
		t.Fatal(err)
	}
	first := make(chan answer, 1)
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
