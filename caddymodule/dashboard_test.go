package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/apisecurity"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
)

const (
	rulesFolder = "../deploy/prometheus"
	dashboard   = "../deploy/grafana/wxgate.json"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRules tests the alerts with promtool, and checks that each has a case in which it fires
// and one in which it does not.
func TestRules(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "rules.yml"}, {"check", "config", "prometheus.yml"}, {"test", "rules", "rules_test.yml"}} {
		command := exec.CommandContext(t.Context(), "promtool", args...)
		command.Dir = rulesFolder
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	cases := readFile(t, rulesFolder+"/rules_test.yml")
	alerts := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(readFile(t, rulesFolder+"/rules.yml"), -1)
	for _, alert := range alerts {
		for _, end := range []string{"\n        exp_alerts:\n          - exp_labels:", "\n        exp_alerts: []\n"} {
			if !strings.Contains(cases, "\n        alertname: "+alert[1]+end) {
				t.Errorf("rules_test.yml has no case of %s with %q", alert[1], end)
			}
		}
	}
	if len(alerts) < 10 {
		t.Errorf("only %d alerts were found", len(alerts))
	}
}

// queries returns the queries of the dashboard and of the alerts. For an alert, it returns the
// left side of the comparison: while nothing is wrong, the comparison itself returns nothing.
func queries(t *testing.T) (found []string) {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, dashboard)), &board); err != nil {
		t.Fatal(err)
	}
	for _, panel := range board.Panels {
		if len(panel.Targets) == 0 {
			t.Errorf("the panel %q has no query", panel.Title)
		}
		for _, target := range panel.Targets {
			found = append(found, strings.NewReplacer("$__rate_interval", "1m", "$app", ".*").Replace(target.Expr))
		}
	}
	fromBoard := len(found)
	rules := strings.ReplaceAll(readFile(t, rulesFolder+"/rules.yml"), ">-\n          ", "")
	for _, m := range regexp.MustCompile(`(?m)^        expr: ((?:.|\n {10})+?) (?:[<>]|==) [0-9.]+$`).FindAllStringSubmatch(rules, -1) {
		found = append(found, strings.Join(strings.Fields(m[1]), " "))
	}
	if fromBoard < 20 || len(found)-fromBoard != strings.Count(rules, "- alert: ") {
		t.Fatalf("%d queries of the dashboard, %d of the alerts", fromBoard, len(found)-fromBoard)
	}
	// In a test nothing fails, so counters of failures have no series. Accept any outcome, to
	// check that the labels exist.
	failures := regexp.MustCompile(`outcome(!=|=~?)"(ok|app_misconfigured|wechat_\.\*\|store_unavailable|refresh_reused|failed)"`)
	for i, query := range found {
		found[i] = failures.ReplaceAllString(query, `outcome!="none"`)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// prometheus is a running Prometheus that scrapes one address.
type prometheus struct {
	t   *testing.T
	url string
}

func startPrometheus(t *testing.T, target string) *prometheus {
	t.Helper()
	dir, addr := t.TempDir(), freeAddr(t)
	config := filepath.Join(dir, "prometheus.yml")
	text := "global:\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\nscrape_configs:\n  - job_name: wxgate\n    static_configs:\n      - targets: [" + target + "]\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "prometheus", "--config.file="+config, "--storage.tsdb.path="+dir+"/data", "--web.listen-address="+addr, "--log.level=error")
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
	})
	p := &prometheus{t, "http://" + addr}
	eventually(t, "Prometheus is ready", func() bool {
		status, _ := p.get("/-/ready")
		return status == http.StatusOK
	})
	return p
}

func (p *prometheus) get(path string) (status int, body []byte) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, body
}

// has reports whether a query returns a vector with at least one element.
func (p *prometheus) has(query string) bool {
	p.t.Helper()
	_, body := p.get("/api/v1/query?query=" + url.QueryEscape(query))
	var response struct {
		Status, Error string
		Data          struct {
			ResultType string
			Result     []json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &response); err != nil {
		p.t.Fatalf("%s: %v: %s", query, err, body)
	}
	if response.Status != "success" || response.Data.ResultType != "vector" {
		p.t.Fatalf("%s: %s %s of type %s", query, response.Status, response.Error, response.Data.ResultType)
	}
	return len(response.Data.Result) > 0
}

// scrapedSites has a site for users, and one for Prometheus and for services.
const scrapedSites = `http://{{.Addr}} {
	wxgate {
		limit phone 1/1h
		limit decode 10000/1m
		prefetch /boot
	}
	reverse_proxy {{.Upstream}}
}
http://{{.Plain}} {
	bind 127.0.0.1
	handle /metrics {
		metrics
	}
	handle {
		wxgate_openapi
	}
}
`

// useEverything makes requests that change each metric.
func (f *fixture) useEverything() {
	f.t.Helper()
	login := f.login("alice")
	bearer := "Bearer " + login.str(f.t, "access_token")
	f.do("GET", "/orders", "", "Authorization", bearer, "X-WX-OPENID", "forged").want(f.t, http.StatusOK, "")
	f.do("GET", "/orders", "").want(f.t, http.StatusUnauthorized, "missing_token")
	f.refresh(login.str(f.t, "refresh_token")).want(f.t, http.StatusOK, "")
	f.do("POST", pub+"/openId", `{"code":"made-up"}`).want(f.t, http.StatusUnauthorized, "invalid_code")
	f.do("POST", pub+"/decode", `{"code":"made-up"}`, "Authorization", bearer)
	f.do("POST", pub+"/decode", `{"code":"made-up"}`, "Authorization", bearer).want(f.t, http.StatusTooManyRequests, "rate_limited")
	sealed, err := f.sim.Sim.EncryptPhone(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
	if err != nil {
		f.t.Fatal(err)
	}
	open := fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%%q}`, sealed.EncryptedData, sealed.IV)
	f.do("POST", pub+"/decode", fmt.Sprintf(open, login.str(f.t, "session_key"))).want(f.t, http.StatusOK, "")
	f.do("POST", pub+"/decode", fmt.Sprintf(open, "AAAAAAAAAAAAAAAAAAAAAA=="))
	push, err := simpush.Event(f.sim.Sim, wechatsim.User{App: wechatsim.DefaultApp.ID, Name: "alice"}, "user_authorization_revoke", simpush.Target{Token: pushToken, EncodingAESKey: pushKey})
	if err != nil {
		f.t.Fatal(err)
	}
	f.do("POST", pub+"/callback?"+push.Query.Encode(), string(push.Body)).want(f.t, http.StatusOK, "")
	f.pushMessage(officialApp, customerText("oReader", "1", "JSON")).want(f.t, http.StatusOK, "")
	f.do("GET", bootURL("code", f.code("alice")), "").want(f.t, http.StatusOK, "")
	services := *f
	services.url = "http://" + f.plain
	services.do("GET", "/wxa/echo", "")
	services.checkMessage().want(f.t, http.StatusOK, "")
	if err := f.sim.Sim.Arm(fault.Fault{Kind: fault.Kind(apisecurity.WrongSignature), Times: 1}); err != nil {
		f.t.Fatal(err)
	}
	services.checkMessage().want(f.t, http.StatusBadGateway, "wechat_unreadable")
}

// TestDashboard runs each query of the dashboard and of the alerts in a Prometheus that
// scrapes a gateway under load, with store bolt and then with store redis. It also checks that
// every documented metric was scraped.
func TestDashboard(t *testing.T) {
	setPushEnv(t)
	service, _ := replier(t)
	apps := strings.Replace(securedApp, "MORE\n\t\t\t}", "}\n\t\t\t"+forwarding(service)+"\n\t\t\traw_session_key insecure\n\t\t\trisk marketing\n\t\t\tphone_budget 1000/366d", 1)
	apps += "\n\t\tapp " + officialApp + " {env.WXGATE_TEST_SECRET} {\n\t\t\tapi {{.API}}\n\t\t\t" + forwarding(service+" reply") + "\n\t\t}"
	receiver := newUpstream(t)
	f := newStoppedFixture(t, simConfig(), siteWith{global: "metrics", apps: apps, sites: scrapedSites}.String())
	f.secure()
	f.load()
	p := startPrometheus(t, f.plain)
	empty, scraped := queries(t), ""
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("queries without a result:\n%s", strings.Join(empty, "\n"))
		}
	})
	redis := startRedis(t)
	for _, store := range []string{"bolt {{.Dir}}/wxgate.db", "redis redis://" + redis.addr} {
		f.config = siteWith{global: "metrics", apps: apps, sites: scrapedSites, store: store, wxgate: "events_to " + "http://" + receiver.addr + "/events"}.String()
		f.load()
		eventually(t, "the queries return something with store "+store, func() bool {
			f.useEverything()
			empty = slices.DeleteFunc(empty, p.has)
			return len(empty) == 0 || strings.HasPrefix(store, "bolt") && !slices.ContainsFunc(empty, func(query string) bool { return !strings.Contains(query, "_stale_") })
		})
		_, body := (&prometheus{t, "http://" + f.plain}).get("/metrics")
		scraped += string(body)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(wxgate_[a-z0-9_]+)(?:\\{[a-z_,]+\\})?` \\| (counter|gauge|histogram) ").FindAllStringSubmatch(readDocument(t, "observability.md"), -1) {
		if !strings.Contains(scraped, "\n# TYPE "+m[1]+" "+m[2]+"\n") {
			t.Errorf("the gateway has no %s %s", m[2], m[1])
		}
	}
}
