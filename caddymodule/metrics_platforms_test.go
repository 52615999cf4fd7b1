package caddymodule_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

// TestPlatformMetrics: the breakers and the age of the token are reported once for each app, also
// after a reload that changes the settings of the app.
func TestPlatformMetrics(t *testing.T) {
	config := siteWith{global: "metrics", handler: "public /metrics", routes: "metrics /metrics"}.String()
	f := newFixture(t, config)
	scrape := func() string {
		a := f.do("GET", "/metrics", "")
		a.want(t, http.StatusOK, "")
		return a.body
	}
	f.login("alice")
	body := scrape()
	for _, want := range []string{
		`wxgate_wechat_breaker{app="wx0000000000000001",calls="gateway"} 0`,
		`wxgate_wechat_breaker{app="wx0000000000000001",calls="openapi"} 0`,
	} {
		if strings.Count(body, want+"\n") != 1 {
			t.Errorf("want %s exactly once in\n%s", want, body)
		}
	}
	age := regexp.MustCompile(`wxgate_wechat_token_age_seconds\{app="wx0000000000000001"\} [0-9.e+-]+\n`)
	if age.MatchString(body) {
		t.Error("a token has an age before it was fetched")
	}
	token := f.token("alice")
	f.do("POST", pub+"/decode", `{"code":"x"}`, "Authorization", "Bearer "+token).want(t, http.StatusBadRequest, "invalid_code")
	if body = scrape(); !age.MatchString(body) {
		t.Errorf("no age of the token in\n%s", body)
	}
	if err := f.sim.Sim.Arm(fault.Fault{Path: "/sns/jscode2session", Kind: fault.HTML}); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("alice")))
	}
	if want := `wxgate_wechat_breaker{app="wx0000000000000001",calls="gateway"} 2`; !strings.Contains(scrape(), want) {
		t.Errorf("no %s", want)
	}
	f.config = strings.Replace(f.config, "api {{.API}}", "api {{.API}}\n\t\t\twatermark 2h", 1)
	f.load()
	if got := strings.Count(scrape(), `wxgate_wechat_breaker{app="wx0000000000000001",calls="gateway"}`); got != 1 {
		t.Errorf("the breaker appears %d times", got)
	}
}
