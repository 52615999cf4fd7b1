package caddymodule_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/attack"
	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

// doorApps are the official account and the website of the simulator, beside the mini program.
const doorApps = `
		app wx0000000000000004 {env.WXGATE_TEST_OFFICIAL} {
			kind official
			api {{.API}}
		}
		app wx0000000000000005 {env.WXGATE_TEST_WEBSITE} {
			kind website
			api {{.API}}
		}
		store `

// doorGate is attackGate with every door; <url> is the origin of the site. The attacker's origin
// is on the CORS list, which admits its pages with tokens but not with cookies.
var doorGate = strings.Replace(attackGate, "headers {", `
		forward_token
		compat wafer
		cors {
			origins https://evil.example https://h5.example.com
		}
		limit login 100000/1m
		limit scan 100000/1m
		web {
			url <url>
			official wx0000000000000004 base
			website wx0000000000000005
			scan wx0000000000000001
			ticket
		}
		headers {`, 1)

// behindProxy is a site behind a proxy that terminates TLS: it does not listen at the origin of
// the site.
const (
	proxiedOrigin = "https://localhost:7443" // the simulator redirects to loopback only
	behindProxy   = `
http://{{.Addr}} {
	import site
}
`
)

// newDoors starts a gateway with every door and a store. If sites is not empty, it replaces the
// sites of attackGlobal.
func newDoors(t *testing.T, store, sites, origin string) *attacked {
	t.Helper()
	t.Setenv("WXGATE_TEST_OFFICIAL", "00000000000000000000000000000004")
	t.Setenv("WXGATE_TEST_WEBSITE", "00000000000000000000000000000005")
	t.Setenv("WXGATE_TEST_ROOT", sharedRoot)
	before, after, _ := strings.Cut(attackGlobal, "store memory")
	_, after, _ = strings.Cut(after, "{file.{{.Dir}}/key.pem}\n\t\t}")
	config := before + "secret {env.WXGATE_TEST_ROOT}" + doorApps + store + after
	if sites != "" {
		config, _, _ = strings.Cut(config, "http://{{.Addr}}")
		config += sites
	}
	config = strings.Replace(config, "https://localhost:<port> {", "https://localhost:<port>, https://other.localhost:<port> {", 1)
	a := newStoppedAttacked(t, config, doorGate, "")
	if origin == "" {
		origin = a.target.URL
	}
	a.target.Origin = origin
	a.config = strings.ReplaceAll(a.config, "<url>", origin)
	a.load()
	return a
}

// cookieOf returns the first cookie of a response whose name begins with name, as name=value.
func cookieOf(t *testing.T, a response, name string) string {
	t.Helper()
	response := http.Response{Header: a.header}
	for _, c := range response.Cookies() {
		if strings.HasPrefix(c.Name, name) && c.MaxAge > 0 {
			return c.Name + "=" + c.Value
		}
	}
	t.Fatalf("status %d without a cookie %s: %v %s", a.status, name, a.header, a.body)
	return ""
}

const doorCookie = "__Host-wxgate"

// throughDoor logs the attack user in through a door and returns the session cookie.
func (f *fixture) throughDoor(t *testing.T, door, origin string) string {
	t.Helper()
	switch door {
	case "official", "website":
		begin := f.do("GET", pub+"/web/login?return=/guarded/x&door="+door, "")
		begin.want(t, http.StatusSeeOther, "")
		login := cookieOf(t, begin, doorCookie+"-login-")
		response, err := f.client.Get(simweb.As(begin.header.Get("Location"), "mallory"))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		back, err := url.Parse(response.Header.Get("Location"))
		if err != nil || back.Scheme+"://"+back.Host != origin {
			t.Fatalf("WeChat redirects to %q: %v", response.Header.Get("Location"), err)
		}
		return cookieOf(t, f.do("GET", back.RequestURI(), "", "Cookie", login), doorCookie)
	case "webview":
		ticket := f.do("POST", pub+"/web/ticket", "", "Authorization", "Bearer "+f.token("mallory"))
		ticket.want(t, http.StatusOK, "")
		return cookieOf(t, f.do("GET", pub+"/web/enter?ticket="+ticket.str(t, "ticket"), ""), doorCookie)
	}
	scan := f.do("POST", pub+"/web/scan", "", "Origin", origin)
	scan.want(t, http.StatusOK, "")
	path, bearer := pub+"/web/scan/"+scan.str(t, "scan"), "Bearer "+f.token("mallory")
	f.do("GET", path+"/request", "", "Authorization", bearer).want(t, http.StatusOK, "")
	f.do("POST", path, fmt.Sprintf(`{"confirm":true,"number":%q}`, scan.str(t, "number")), "Authorization", bearer).want(t, http.StatusOK, "")
	finished := f.do("POST", path+"/finish", "{}", "Origin", origin, "Cookie", cookieOf(t, scan, doorCookie+"-scan"))
	return cookieOf(t, finished, doorCookie)
}

// expectBlockedAtDoor fails the test unless every attack was blocked, or was not applicable for a
// reason in absent, and the session is still valid.
func expectBlockedAtDoor(t *testing.T, f *fixture, cookie string, findings []attack.Finding, absent ...string) {
	t.Helper()
	absent = append(absent, "it is about access tokens")
	counts := map[attack.Verdict]int{}
	for _, finding := range findings {
		counts[finding.Verdict]++
		known := slices.ContainsFunc(absent, func(why string) bool { return strings.Contains(finding.Reason, why) })
		if finding.Verdict != attack.Blocked && (finding.Verdict != attack.NotApplicable || !known) {
			t.Errorf("%s over %s: %s: %s\n\t%s", finding.ID, finding.Protocol, finding.Verdict, finding.Reason, finding.Request)
		}
		if e := finding.Evidence; e != nil && e.Admitted.First("X-WX-SOURCE") != "web" {
			t.Fatalf("a benign request has X-WX-SOURCE %q", e.Admitted.First("X-WX-SOURCE"))
		}
	}
	if counts[attack.Blocked] == 0 {
		t.Error("no attack was blocked")
	}
	f.do("GET", "/guarded/alive", "", "Cookie", cookie).want(t, http.StatusOK, "")
	t.Logf("%v", counts)
}

// coreMechanisms attack requests with a session, for which the doors could differ. The other
// mechanisms need no session: TestAttackCorpus runs them.
var coreMechanisms = []string{"identity", "removal", "upgrade", "policy", "smuggle", "errors", "cookie", "csrf"}

// noTunnel is the reason why attacks with extended CONNECT are not applicable: Go's HTTP/2 server
// accepts it only with GODEBUG=http2xconnect=1.
const noTunnel = "the gateway passes no such WebSocket"

// TestAttackCorpusOfBrowsers: with the cookie of each door, no attack of the corpus succeeds,
// including attacks on browser sessions.
func TestAttackCorpusOfBrowsers(t *testing.T) {
	a := newDoors(t, "bolt {{.Dir}}/wxgate.db", "", "")
	waitForTLS(t, a.plain, "localhost")
	waitForTLS(t, a.plain, "other.localhost")
	for _, run := range []struct {
		door       string
		protocol   wire.Protocol
		mechanisms []string
	}{
		{"official", wire.H1, append([]string{"calls"}, coreMechanisms...)},
		{"website", wire.H2, append([]string{"calls", "return"}, coreMechanisms...)},
		{"webview", wire.H3, coreMechanisms},
		{"scan", wire.H2, coreMechanisms},
	} {
		t.Run(run.door+" over "+string(run.protocol), func(t *testing.T) {
			target := a.target
			target.Cookie = a.throughDoor(t, run.door, target.Origin)
			which, err := attack.OfMechanisms(&target, run.mechanisms)
			if err != nil {
				t.Fatal(err)
			}
			findings, err := attack.Run(t.Context(), attack.Config{Target: target, Echo: a.echo, Protocols: []wire.Protocol{run.protocol}, Only: quick(which)})
			if err != nil {
				t.Fatal(err)
			}
			var absent []string
			if run.protocol == wire.H2 {
				absent = append(absent, noTunnel)
			}
			expectBlockedAtDoor(t, a.fixture, target.Cookie, findings, absent...)
		})
	}
}

// TestAttackCorpusOfBrowsersOnTwoMachines: no attack succeeds on a second machine either, with
// store redis and behind a proxy, after a login on the first.
func TestAttackCorpusOfBrowsersOnTwoMachines(t *testing.T) {
	a := newDoors(t, "redis redis://"+startRedis(t).addr, behindProxy, proxiedOrigin)
	other := a.replica()
	for i, door := range []string{"official", "website", "webview", "scan"} {
		t.Run(door, func(t *testing.T) {
			target := a.target
			target.URL = other.url
			target.Cookie = a.throughDoor(t, door, proxiedOrigin)
			findings, err := attack.Run(t.Context(), attack.Config{Target: target, Echo: a.echo, Protocols: []wire.Protocol{wire.H1}, Only: quick(oneIn(16, i))})
			if err != nil {
				t.Fatal(err)
			}
			expectBlockedAtDoor(t, a.fixture, target.Cookie, findings, "nothing reaches the echo by another Host")
			// A logout on one machine ends the session on the other.
			a.do("POST", pub+"/web/logout", "", "Origin", proxiedOrigin, "Cookie", target.Cookie).want(t, http.StatusNoContent, "")
			eventually(t, "the other machine refuses the cookie", func() bool {
				return other.do("GET", "/guarded/x", "", "Cookie", target.Cookie).status == http.StatusUnauthorized
			})
		})
	}
}

// quick leaves out an attack that takes seconds; TestAttackCorpus runs it.
func quick(which func(*corpus.Attack) bool) func(*corpus.Attack) bool {
	return func(a *corpus.Attack) bool { return a.ID != "smuggle/cl-octal" && which(a) }
}

// oneIn selects every n-th attack of each mechanism, starting at i.
func oneIn(n, i int) func(*corpus.Attack) bool {
	count := map[string]int{}
	return func(a *corpus.Attack) bool {
		count[a.Mechanism.Name]++
		return count[a.Mechanism.Name]%n == i
	}
}
