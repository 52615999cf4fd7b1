package caddymodule_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
)

// withLimit adds a session_limit to the app of a configuration.
func withLimit(config, limit string) string {
	return strings.Replace(config, "api {{.API}}", "api {{.API}}\n\t\t\t"+limit, 1)
}

// limitedTo is the site of most tests with a session_limit.
func limitedTo(limit string) string { return withLimit(site, limit) }

// loginFrom logs alice in from a device.
func (f *fixture) loginFrom(agent string) response {
	f.t.Helper()
	a := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("alice")), "User-Agent", agent)
	a.want(f.t, http.StatusOK, "")
	return a
}

// wantReplaced presents all credentials of a replaced session.
func (f *fixture) wantReplaced(login response) {
	f.t.Helper()
	bearer := "Bearer " + login.str(f.t, "access_token")
	f.wantCall(login.str(f.t, "access_token"), http.StatusUnauthorized, "session_replaced")
	f.do("GET", pub+"/session", "", "Authorization", bearer).want(f.t, http.StatusUnauthorized, "session_replaced")
	f.do("POST", pub+"/logout", `{"all":true}`, "Authorization", bearer).want(f.t, http.StatusUnauthorized, "session_replaced")
	f.refresh(login.str(f.t, "refresh_token")).want(f.t, http.StatusUnauthorized, "session_replaced")
	f.phoneData(login.str(f.t, "session_key")).want(f.t, http.StatusUnauthorized, "session_replaced")
	f.do("POST", pub+"/revoke", "token="+login.str(f.t, "refresh_token"), "Content-Type", "application/x-www-form-urlencoded").want(f.t, http.StatusOK, "")
}

// TestSessionLimit logs in again, with Redis on another machine. The first session and its
// streams end on both machines, and the cause is still known after a restart.
func TestSessionLimit(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (here, there *fixture){
		"bolt": func(t *testing.T) (here, there *fixture) {
			f := newFixture(t, limitedTo("session_limit 1"))
			return f, f
		},
		"redis": func(t *testing.T) (here, there *fixture) {
			here = newSharedFixture(t, startRedis(t), "")
			here.config = withLimit(here.config, "session_limit 1")
			here.load()
			return here, here.replica()
		},
	} {
		t.Run(name, func(t *testing.T) {
			here, there := open(t)
			here.upstream.respondWith(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Upgrade") != "" || r.URL.Path == "/events" {
					streamUpstream(w, r)
				}
			})
			first, bob := here.login("alice"), here.login("bob")
			bearer := "Bearer " + first.str(t, "access_token")
			streams := map[string]<-chan time.Time{"websocket": here.openWebSocket(t, bearer), "event stream": here.openEventStream(t, bearer)}
			second := there.login("alice")
			there.wantCall(second.str(t, "access_token"), http.StatusOK, "")
			for _, machine := range []*fixture{here, there} {
				machine.refusedSoon(bearer, "session_replaced")
				machine.wantReplaced(first)
				machine.wantCall(bob.str(t, "access_token"), http.StatusOK, "")
			}
			for name, ended := range streams {
				select {
				case <-ended:
				case <-time.After(receivedWithin):
					t.Errorf("the %s outlived its session", name)
				}
			}
			here.stop()
			here.load()
			here.wantReplaced(first)
			here.wantCall(second.str(t, "access_token"), http.StatusOK, "")
			here.refresh(second.str(t, "refresh_token")).want(t, http.StatusOK, "")
		})
	}
}

const windowsPC = "Mozilla/5.0 (Windows NT 10.0; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36 MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090a13)"

// TestSessionLimitPerDevice: a phone and a PC each keep a session. After a reload without
// "per device", the next login ends both sessions.
func TestSessionLimitPerDevice(t *testing.T) {
	f := newFixture(t, limitedTo("session_limit 1 per device"))
	phone, desktop := f.loginFrom(iPhone), f.loginFrom(windowsPC)
	f.wantCall(phone.str(t, "access_token"), http.StatusOK, "")
	f.wantCall(desktop.str(t, "access_token"), http.StatusOK, "")
	tablet := f.loginFrom(strings.ReplaceAll(iPhone, "iPhone", "iPad"))
	f.wantReplaced(phone)
	f.wantCall(desktop.str(t, "access_token"), http.StatusOK, "")

	f.config = limitedTo("session_limit 1")
	f.load()
	f.wantCall(tablet.str(t, "access_token"), http.StatusOK, "")
	other := f.loginFrom("curl/8")
	f.wantReplaced(desktop)
	f.wantReplaced(tablet)
	f.wantCall(other.str(t, "access_token"), http.StatusOK, "")
}

// TestDefaultSessionLimit: without the option, the 101st login ends the first session with
// session_revoked, after which a client logs in again silently.
func TestDefaultSessionLimit(t *testing.T) {
	f := newFixture(t, site)
	first := f.login("alice")
	for range auth.MaxUserSessions {
		f.wantCall(first.str(t, "access_token"), http.StatusOK, "")
		f.login("alice")
	}
	f.wantCall(first.str(t, "access_token"), http.StatusUnauthorized, "session_revoked")
	f.refresh(first.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")
}

// TestSessionLimitIsReported: when a login ends another session, an audit line, an event of
// Caddy and an event of events_to report that session.
func TestSessionLimitIsReported(t *testing.T) {
	r := newReceiver(t)
	t.Setenv("WXGATE_TEST_BEARER", eventsBearer)
	f := newEventFixture(t)
	r.gateway = f
	f.config = strings.Replace(withLimit(f.config, "session_limit 1"), "store bolt", eventsTo(r.url)+"\n\t\tstore bolt", 1)
	f.load()
	first := f.login("alice")
	sid, _ := claimsOf(t, first.str(t, "access_token"))["sid"].(string)
	f.login("alice")
	f.refresh(first.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_replaced")
	f.operate("token", "mint", "--app", "wx0000000000000001", "--openid", first.str(t, "openId"))

	e := r.await(2)[0]
	if e.reason() != string(auth.CauseLimit) || e.Subject.Session.ID != sid || e.Subject.User.Sub != first.str(t, "openId") {
		t.Errorf("events_to sent %+v", e)
	}
	lines := f.auditLines()
	lines = slices.DeleteFunc(lines, func(line map[string]any) bool {
		return line["user_id"] == nil && line["msg"] != string(audit.RefreshRefused)
	})
	var messages []string
	for _, line := range lines {
		messages = append(messages, fmt.Sprint(line["msg"], " ", line["outcome"]))
	}
	if got, want := strings.Join(messages, ", "), "login ok, login ok, revocation ok, refresh_refused session_replaced, mint ok, revocation ok, admin call ok"; got != want {
		t.Errorf("audited: %s; want %s", got, want)
	}
	ended := lines[2]
	if ended["session"] != sid || ended["by"] != "gateway" || ended["cause"] != "session_limit" || ended["user_id"] != lines[0]["user_id"] || ended["sessions"] != 1.0 {
		t.Errorf("the audit line is %v", ended)
	}
	eventually(t, "Caddy's event", func() bool { return len(keptEvents()[audit.EventSessionEnded]) == 2 })
	if data := keptEvents()[audit.EventSessionEnded][0]; data["session"] != sid || data["cause"] != "session_limit" || data["by"] != "gateway" {
		t.Errorf("Caddy's event is %v", data)
	}
}
