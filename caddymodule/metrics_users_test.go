package caddymodule_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// scrape returns all samples by series, which includes the labels.
func (f *fixture) scrape() map[string]float64 {
	f.t.Helper()
	a := f.do("GET", "/metrics", "")
	a.want(f.t, http.StatusOK, "")
	samples := make(map[string]float64)
	for line := range strings.Lines(a.body) {
		series, text, ok := strings.Cut(strings.TrimSpace(line), " ")
		value, err := strconv.ParseFloat(text, 64)
		if ok && err == nil && !strings.HasPrefix(line, "#") {
			samples[series] = value
		}
	}
	return samples
}

// TestUserMetrics: each action of a user is counted once, with its app and its outcome. No label
// contains a value that a client sent.
func TestUserMetrics(t *testing.T) {
	f := newFixture(t, siteWith{
		global: "metrics", routes: "metrics /metrics",
		handler: "public /metrics\n\t\tlimit login 4/1h\n\t\tlimit phone 1/1h",
	}.String())
	before := f.scrape()
	alice := f.login("alice")
	f.do("POST", pub+"/openId", `{"code":"made-up-code"}`).want(t, http.StatusUnauthorized, "invalid_code")
	f.do("POST", pub+"/openId", `{"code":"x","appid":"wx-of-a-client"}`).want(t, http.StatusBadRequest, "unknown_app")
	refresh := func(token string) response {
		return f.do("POST", pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, token))
	}
	pair := refresh(alice.str(t, "refresh_token"))
	pair.want(t, http.StatusOK, "")
	refresh("wxr_of-a-client").want(t, http.StatusUnauthorized, "invalid_token")
	bearer := []string{"Authorization", "Bearer " + pair.str(t, "access_token")}
	phone, err := f.sim.Sim.MintPhoneCode(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{})
	if err != nil {
		t.Fatal(err)
	}
	f.do("POST", pub+"/decode", fmt.Sprintf(`{"code":%q}`, phone.Code), bearer...).want(t, http.StatusOK, "")
	f.do("POST", pub+"/decode", `{"code":"x"}`, bearer...).want(t, http.StatusTooManyRequests, "rate_limited")
	f.login("bob")
	f.login("carol")
	f.do("POST", pub+"/openId", `{"code":"x"}`).want(t, http.StatusTooManyRequests, "rate_limited")

	after := f.scrape()
	const app = `{app="wx0000000000000001",`
	for series, want := range map[string]float64{
		"wxgate_logins_total" + app + `outcome="ok"}`:                               3,
		"wxgate_logins_total" + app + `outcome="invalid_code"}`:                     1,
		"wxgate_logins_total" + app + `outcome="rate_limited"}`:                     1,
		`wxgate_calls_total{call="login",outcome="unknown_app"}`:                    1,
		"wxgate_refreshes_total" + app + `outcome="ok"}`:                            1,
		`wxgate_refreshes_total{app="",outcome="invalid_token"}`:                    1,
		"wxgate_phone_calls_total" + app + `outcome="ok"}`:                          1,
		"wxgate_wechat_seconds_count" + app + `call="jscode2session",outcome="ok"}`: 3,
		`wxgate_limit_refused_total{limit="login"}`:                                 1,
		`wxgate_limit_refused_total{limit="phone"}`:                                 1,
		"wxgate_sessions": 3,
		"wxgate_users":    3,
		`wxgate_store_seconds_count{operation="write",outcome="ok"}`: 5, // the logins, the refresh and the phone number
		`wxgate_limit_keys{limit="login"}`:                           1,
		`wxgate_limit_keys{limit="phone"}`:                           1,
		`wxgate_limit_keys{limit="decode"}`:                          0,
	} {
		if got := after[series] - before[series]; got != want {
			t.Errorf("%s grew by %v, want %v", series, got, want)
		}
	}
	if after["wxgate_store_bytes"] <= 0 || after["wxgate_signing_key_age_seconds"] < 0 {
		t.Errorf("size %v, age of the key %v", after["wxgate_store_bytes"], after["wxgate_signing_key_age_seconds"])
	}
	for series := range after {
		if strings.Contains(series, "of-a-client") {
			t.Errorf("a label has a value that a client sent: %s", series)
		}
		if strings.HasPrefix(series, "wxgate_build_info{") && (!strings.Contains(series, `go="go1.`) || !strings.Contains(series, `caddy="`)) {
			t.Errorf("build info %s", series)
		}
	}
}
