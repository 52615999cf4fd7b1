package caddymodule_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

const phonePath = "/wxa/business/getuserphonenumber"

// withAppOption adds lines to the block of the app in a configuration.
func withAppOption(config, lines string) string {
	return strings.Replace(config, "api {{.API}}", "api {{.API}}\n\t\t\t"+lines, 1)
}

// budgeted is a site whose app has a budget with windows of 366 days, so that no window ends
// during a test, except on one day in 2027.
func budgeted(calls int) string {
	site := siteWith{global: "metrics", handler: "limit phone 100/1m\n\t\tpublic /metrics", routes: "metrics /metrics"}.String()
	return withAppOption(site, fmt.Sprintf("phone_budget %d/366d", calls))
}

// phoneCode mints a phone code for a user.
func (f *fixture) phoneCode(name string) string {
	f.t.Helper()
	code, err := f.sim.Sim.MintPhoneCode(wechatsim.User{Name: name}, wechatsim.PhoneNumber{})
	if err != nil {
		f.t.Fatal(err)
	}
	return code.Code
}

// decodeCode sends a phone code to decode.
func (f *fixture) decodeCode(code, token string) response {
	f.t.Helper()
	return f.do("POST", pub+"/decode", fmt.Sprintf(`{"code":%q}`, code), "Authorization", "Bearer "+token)
}

// wantExhausted sends a valid phone code, which must be refused without reaching WeChat.
func (f *fixture) wantExhausted(name, token string) {
	f.t.Helper()
	before := f.sim.Sim.Count(phonePath)
	a := f.decodeCode(f.phoneCode(name), token)
	a.want(f.t, http.StatusTooManyRequests, "budget_exhausted")
	if after, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || after < 1 || after > 366*24*60*60 {
		f.t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	if n := f.sim.Sim.Count(phonePath) - before; n != 0 {
		f.t.Errorf("WeChat got %d codes", n)
	}
}

// TestPhoneBudget: invalid codes do not count, a code whose response is lost does. The count
// survives a reload and a restart.
func TestPhoneBudget(t *testing.T) {
	f := newFixture(t, budgeted(3))
	mallory, bob := f.token("mallory"), f.token("bob")
	for range 10 {
		f.decodeCode("made-up-code", mallory).want(t, http.StatusBadRequest, "invalid_code")
	}
	f.decodeCode(f.phoneCode("bob"), bob).want(t, http.StatusOK, "")
	if err := f.sim.Sim.Arm(fault.Fault{Path: phonePath, Kind: fault.Reset, After: true, Times: 1}); err != nil {
		t.Fatal(err)
	}
	f.decodeCode(f.phoneCode("bob"), bob).want(t, http.StatusServiceUnavailable, "wechat_unreachable")
	f.load()
	f.decodeCode(f.phoneCode("bob"), bob).want(t, http.StatusOK, "")
	f.wantExhausted("bob", bob)
	f.stop()
	f.load()
	f.wantExhausted("bob", bob)
	f.config = budgeted(4)
	f.load()
	f.decodeCode(f.phoneCode("bob"), bob).want(t, http.StatusOK, "")
	f.wantExhausted("bob", bob)
	sealed := f.encryptedPhone(wechatsim.User{Name: "bob"}, wechatsim.Sealing{})
	f.do("POST", pub+"/decode", fmt.Sprintf(`{"encrypted_data":%q,"iv":%q}`, sealed.EncryptedData, sealed.IV), "Authorization", "Bearer "+bob).want(t, http.StatusOK, "")
}

// series returns the value of a metric, or "".
func (f *fixture) series(name string) string {
	f.t.Helper()
	for line := range strings.Lines(f.do("GET", "/metrics", "").body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// gate returns the URL of a WeChat that does not respond to phone codes until open is called.
func (f *fixture) gate() (url string, open func()) {
	f.t.Helper()
	target, err := neturl.Parse(f.sim.URL)
	if err != nil {
		f.t.Fatal(err)
	}
	opened := make(chan struct{})
	open = sync.OnceFunc(func() { close(opened) })
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == phonePath {
			<-opened
		}
		proxy.ServeHTTP(w, r)
	}))
	f.t.Cleanup(server.Close)
	f.t.Cleanup(open) // before the server waits for its requests
	return server.URL, open
}

// TestPhoneBudgetInProgress: while many invalid codes of a user are being exchanged, the
// responses to others have a Retry-After of one second, not of the rest of the window.
func TestPhoneBudgetInProgress(t *testing.T) {
	f := newStoppedFixture(t, simConfig(), "")
	url, open := f.gate()
	f.config = strings.Replace(budgeted(2), "{{.API}}", url, 1)
	f.load()
	mallory, bob := f.token("mallory"), f.token("bob")
	const left = `wxgate_phone_budget_left{app="wx0000000000000001"}`
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			if a, err := f.try("POST", pub+"/decode", `{"code":"made-up-code"}`, "Authorization", "Bearer "+mallory); err != nil || a.status != http.StatusBadRequest {
				t.Errorf("%d, %v", a.status, err)
			}
		})
	}
	eventually(t, "both codes are being exchanged", func() bool { return f.series(left) == "0" })
	a := f.decodeCode(f.phoneCode("bob"), bob)
	a.want(t, http.StatusTooManyRequests, "rate_limited")
	if a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	open()
	running.Wait()
	if got := f.series(left); got != "2" {
		t.Errorf("%s of 2 codes are left", got)
	}
	f.decodeCode(f.phoneCode("bob"), bob).want(t, http.StatusOK, "")
	f.decodeCode(f.phoneCode("bob"), bob).want(t, http.StatusOK, "")
	f.wantExhausted("bob", bob)
	for _, outcome := range []string{"spent", "returned", "busy", "exhausted"} {
		if f.series(`wxgate_phone_budget_total{app="wx0000000000000001",outcome="`+outcome+`"}`) == "" {
			t.Errorf("no codes were %s", outcome)
		}
	}
}

// TestPhoneBudgetOverMachines: two machines together send exactly as many codes to WeChat as the
// budget allows. While Redis is down, they send none.
func TestPhoneBudgetOverMachines(t *testing.T) {
	const calls, each = 7, 8
	redis := startRedis(t)
	here := newSharedFixture(t, redis, "limit phone 100/1m")
	here.config = withAppOption(here.config, fmt.Sprintf("phone_budget %d/366d", calls))
	here.load()
	there := here.replica()
	token := here.token("alice")
	var ok, refused atomic.Int64
	var running sync.WaitGroup
	for i := range 2 * each {
		machine := []*fixture{here, there}[i%2]
		body := fmt.Sprintf(`{"code":%q}`, here.phoneCode("alice"))
		running.Go(func() {
			a, err := machine.try("POST", pub+"/decode", body, "Authorization", "Bearer "+token)
			switch {
			case err != nil:
				t.Error(err)
			case a.status == http.StatusOK:
				ok.Add(1)
			case a.status == http.StatusTooManyRequests:
				refused.Add(1)
			default:
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	running.Wait()
	if ok.Load() != calls || refused.Load() != 2*each-calls || here.sim.Sim.Count(phonePath) != calls {
		t.Errorf("%d of %d codes were exchanged, and WeChat got %d; want %d", ok.Load(), 2*each, here.sim.Sim.Count(phonePath), calls)
	}
	here.wantExhausted("alice", token)
	there.wantExhausted("alice", token)
	redis.kill()
	here.decodeCode(here.phoneCode("alice"), token).want(t, http.StatusServiceUnavailable, "store_unavailable")
	if n := here.sim.Sim.Count(phonePath); n != calls {
		t.Errorf("WeChat got %d codes", n)
	}
}

// TestTestPhone: the number of a virtual account is replaced in the response and in the header,
// and satisfies require phone, with encrypted data and with a phone code. The audit log marks it
// as a test number, and does not contain it.
func TestTestPhone(t *testing.T) {
	const virtual, number = "12066600003", "10000000003"
	site := siteWith{global: auditLog, handler: "require phone on /pay\n\t\theaders {\n\t\t\tphone X-WX-PHONE\n\t\t}"}.String()
	f := newFixture(t, withAppOption(site, "test_phone "+virtual+" "+number))
	token := f.token("pig")
	sealed, err := f.sim.Sim.EncryptPhone(wechatsim.User{Name: "pig"}, wechatsim.PhoneNumber{Number: virtual}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	code, err := f.sim.Sim.MintPhoneCode(wechatsim.User{Name: "pig"}, wechatsim.PhoneNumber{Number: virtual})
	if err != nil {
		t.Fatal(err)
	}
	for way, body := range map[string]string{
		"encrypted": fmt.Sprintf(`{"encrypted_data":%q,"iv":%q}`, sealed.EncryptedData, sealed.IV),
		"code":      fmt.Sprintf(`{"code":%q}`, code.Code),
	} {
		a := f.do("POST", pub+"/decode", body, "Authorization", "Bearer "+token)
		a.want(t, http.StatusOK, "")
		if a.str(t, "purePhoneNumber") != number || a.str(t, "phoneNumber") != number {
			t.Errorf("%s: %s", way, a.body)
		}
		f.do("GET", "/pay", "", "Authorization", "Bearer "+a.str(t, "access_token")).want(t, http.StatusOK, "")
		if got := f.upstream.last(t).Header.Get("X-WX-PHONE"); got != "+86"+number {
			t.Errorf("%s: the upstream got %q", way, got)
		}
	}
	lines := f.auditLines()
	for _, line := range lines[len(lines)-2:] {
		if line["msg"] != "decode" || line["phone"] != "test" || strings.Contains(fmt.Sprint(line), number) {
			t.Errorf("the audit line is %v", line)
		}
	}
}
