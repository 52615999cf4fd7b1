package caddymodule_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

const rankPath = "/wxa/getuserriskrank"

// riskSite asks WeChat for a rank at each login, and requires a rank of at most 2 on a path.
var riskSite = withRisk(siteWith{
	handler: "require risk 2 on /coupon\n\t\theaders {\n\t\t\trisk X-WX-RISK-RANK\n\t\t}",
	global:  "servers {\n\t\ttrusted_proxies static 127.0.0.1\n\t}",
}.String(), "risk marketing cache 0")

// withRisk adds a line to the app of a Caddyfile.
func withRisk(config, line string) string {
	return strings.Replace(config, "api {{.API}}", "api {{.API}}\n\t\t\t"+line, 1)
}

func (f *fixture) rank(name string, rank int) {
	f.t.Helper()
	if err := f.sim.Sim.SetRiskRank(wechatsim.User{Name: name}, rank); err != nil {
		f.t.Fatal(err)
	}
}

// TestRisk logs in users with different ranks. The upstream gets the rank in a header, and a path
// refuses users with high ranks.
func TestRisk(t *testing.T) {
	f := newFixture(t, riskSite)
	for rank, status := range map[int]int{0: 200, 2: 200, 3: 403, 4: 403} {
		f.rank("alice", rank)
		bearer := "Bearer " + f.token("alice")
		a := f.do("GET", "/coupon", "", "Authorization", bearer, "X-WX-RISK-RANK", "0", "X_WX_RISK_RANK", "0")
		code := ""
		if status == http.StatusForbidden {
			code = "risk_too_high"
		}
		a.want(t, status, code)
		f.do("GET", "/orders", "", "Authorization", bearer, "X-WX-RISK-RANK", "0", "X_WX_RISK_RANK", "0", "X-Wx-Risk--Rank", "0").want(t, http.StatusOK, "")
		if got := arrived(f.upstream.last(t)); len(got) != 1 || got[0] != fmt.Sprintf("X-Wx-Risk-Rank=%d", rank) {
			t.Errorf("rank %d: the upstream got %q", rank, got)
		}
	}
	if n := f.sim.Sim.Count(rankPath); n != 4 {
		t.Errorf("WeChat was asked for %d ranks for 4 logins", n)
	}
}

// TestRiskAddress: WeChat gets the address of the client, which a client cannot forge.
func TestRiskAddress(t *testing.T) {
	f := newFixture(t, riskSite)
	for name, row := range map[string]struct{ peer, want string }{
		"behind a trusted proxy": {"127.0.0.1", "198.51.100.7"},
		"a forged header":        {"127.0.0.3", "127.0.0.3"},
	} {
		t.Run(name, func(t *testing.T) {
			f.sim.Sim.ClearRequests()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+pub+"/openId", strings.NewReader(fmt.Sprintf(`{"code":%q}`, f.code("alice"))))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Forwarded-For", "198.51.100.7")
			response, err := clientsFrom(t, row.peer)["HTTP/1.1"].Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			sent := f.sim.Sim.Requests(rankPath)
			if response.StatusCode != http.StatusOK || len(sent) != 1 || !strings.Contains(sent[0].Body, `"client_ip":"`+row.want+`"`) {
				t.Errorf("%s; WeChat got %+v, want the address %s", response.Status, sent, row.want)
			}
		})
	}
}

// TestRiskFails: while WeChat returns no ranks, users can log in, and on_error decides whether they
// pass require risk. The current configuration decides, not the one at the login.
func TestRiskFails(t *testing.T) {
	f := newFixture(t, riskSite)
	for name, armed := range map[string]fault.Fault{
		"out of quota": errcode(9410009), "down": errcode(61080), "no permission": errcode(48001), "HTML": failing(fault.HTML), "reset": failing(fault.Reset),
	} {
		t.Run(name, func(t *testing.T) {
			armed.Path = rankPath
			if err := f.sim.Sim.Arm(armed); err != nil {
				t.Fatal(err)
			}
			defer f.sim.Sim.ClearFaults()
			bearer := "Bearer " + f.token("alice")
			for config, code := range map[string]string{riskSite: "risk_too_high", strings.Replace(riskSite, "cache 0", "cache 0 on_error allow", 1): ""} {
				f.config = config
				f.load()
				status := http.StatusOK
				if code != "" {
					status = http.StatusForbidden
				}
				f.do("GET", "/coupon", "", "Authorization", bearer).want(t, status, code)
				f.do("GET", "/orders", "", "Authorization", bearer, "X-WX-RISK-RANK", "0").want(t, http.StatusOK, "")
				if got := arrived(f.upstream.last(t)); got != nil {
					t.Errorf("the upstream got %q", got)
				}
			}
		})
	}
}

// TestVerifyRisk: wxgate_verify returns the rank to another proxy, and refuses the same requests.
func TestVerifyRisk(t *testing.T) {
	options := "require risk 2 on /pay/*\n\t\theaders {\n\t\t\trisk X-WX-RISK-RANK\n\t\t}"
	f := newFixture(t, withRisk(strings.NewReplacer("TRUSTED", loopback, "OPTIONS", options, "X-WX-PHONE", "X-WX-RISK-RANK").Replace(verifySite), "risk ugc cache 0"))
	for rank, status := range map[int]int{2: 200, 3: 403} {
		f.rank("alice", rank)
		bearer := "Bearer " + f.token("alice")
		code := ""
		if status == http.StatusForbidden {
			code = "risk_too_high"
		}
		f.do("GET", "/pay/1", "", "Authorization", bearer, "X-WX-RISK-RANK", "0").want(t, status, code)
		f.do("GET", "/orders", "", "Authorization", bearer, "X-WX-RISK-RANK", "0").want(t, http.StatusOK, "")
		if got := arrived(f.upstream.last(t)); len(got) != 1 || got[0] != fmt.Sprintf("X-Wx-Risk-Rank=%d", rank) {
			t.Errorf("rank %d: the upstream got %q", rank, got)
		}
	}
}

// TestRiskLoadErrors: a requirement that no user can meet and a header that is never sent are
// refused at load.
func TestRiskLoadErrors(t *testing.T) {
	const missing = "no app of this site has the option risk"
	for handler, want := range map[string]string{
		"require risk 2 on /coupon":                   "require risk: " + missing,
		"headers {\n\t\t\trisk X-WX-RISK-RANK\n\t\t}": "headers risk: " + missing,
	} {
		newStoppedFixture(t, simConfig(), siteWith{handler: handler, store: "memory"}.String()).wantLoadError(want)
	}
	clash := "pass_from_trusted X-WX-RISK-RANK\n\t\theaders {\n\t\t\trisk X-WX-Risk-Rank\n\t\t}"
	newStoppedFixture(t, simConfig(), withRisk(siteWith{handler: clash, store: "memory"}.String(), "risk ugc")).
		wantLoadError(`pass_from_trusted: header "X-WX-RISK-RANK" is part of the identity`)
}

// TestRiskIsExported: the commands for operators show the rank of a session.
func TestRiskIsExported(t *testing.T) {
	f := newOperatedFixture(t)
	f.config = withRisk(f.config, "risk registration")
	f.load()
	f.rank("alice", 3)
	f.login("alice")
	app, openid := wechatsim.DefaultApp.ID, wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice")
	type ranked struct {
		Sessions []struct {
			Session string `json:"session"`
			Rank    *int   `json:"risk_rank"`
		} `json:"sessions"`
	}
	for _, command := range [][]string{{"sessions", "list"}, {"user", "show"}, {"user", "export"}} {
		got := queried[ranked](f, append(command, "--app", app, "--openid", openid)...)
		if len(got.Sessions) != 1 || got.Sessions[0].Rank == nil || *got.Sessions[0].Rank != 3 {
			t.Errorf("%v: %+v", command, got)
		}
	}
}
