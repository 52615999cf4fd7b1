package caddymodule_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
)

// receiver is a service that events_to names. It verifies events with the gateway's published
// keys.
type receiver struct {
	webhook

	gateway *fixture
	raw     []string
	events  []receivedEvent
}

// receivedEvent is an event as a receiver reads it.
type receivedEvent struct {
	ID       string `json:"jti"`
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Subject  struct {
		User    struct{ Sub string }
		Session struct{ ID string }
	} `json:"sub_id"`
	Events map[string]struct {
		Reason map[string]string `json:"reason_admin"`
	}
}

const sessionRevoked = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"

func (e receivedEvent) reason() string { return e.Events[sessionRevoked].Reason["en"] }

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{webhook: webhook{t: t, status: http.StatusAccepted}}
	r.listen("/events", r)
	return r
}

// ServeHTTP records all events in raw, and the accepted ones in events.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries++
	r.raw = append(r.raw, string(body))
	if got := request.Header.Get("Authorization"); got != "Bearer "+eventsBearer {
		r.t.Errorf("Authorization: %q", got)
	}
	status := r.status
	if status < 300 {
		// The queue begins to deliver before the site is up.
		if jwks, err := r.gateway.try("GET", "/.well-known/jwks.json", ""); err == nil {
			r.events = append(r.events, r.verify(string(body), jwks.body))
		} else {
			status = http.StatusServiceUnavailable
		}
	}
	w.WriteHeader(status)
}

// verify decodes an event, and verifies it with the published keys only.
func (r *receiver) verify(raw, jwks string) (e receivedEvent) {
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256})
	var set jose.JSONWebKeySet
	if err == nil {
		err = json.Unmarshal([]byte(jwks), &set)
	}
	if err != nil {
		r.t.Error(err)
		return e
	}
	payload, err := signed.Verify(set)
	if err == nil {
		err = json.Unmarshal(payload, &e)
	}
	if err != nil || e.Audience != r.url || e.Issuer != "wxgate" {
		r.t.Errorf("an event with the issuer %q and the audience %q: %v", e.Issuer, e.Audience, err)
	}
	return e
}

// await waits for n accepted events and returns all accepted events.
func (r *receiver) await(n int) []receivedEvent {
	r.t.Helper()
	return awaitAll(&r.webhook, n, &r.events)
}

const eventsBearer = "bearer.of-the_receiver~0123456789=="

// eventsTo returns the option events_to for a receiver.
func eventsTo(url string) string {
	return "events_to " + url + " {\n\t\t\tbearer {env.WXGATE_TEST_BEARER}\n\t\t}"
}

// newEventsFixture starts a gateway that sends events.
func newEventsFixture(t *testing.T, r *receiver, store string) *fixture {
	t.Helper()
	t.Setenv("WXGATE_TEST_BEARER", eventsBearer)
	t.Setenv("WXGATE_TEST_PUSH", pushToken)
	f := newStoppedFixture(t, simConfig(), siteWith{
		global: logTo("DEBUG"), store: store, wxgate: eventsTo(r.url),
		apps: "app wx0000000000000001 {env.WXGATE_TEST_SECRET} {\n\t\t\tapi {{.API}}\n\t\t\tcallback {env.WXGATE_TEST_PUSH}\n\t\t}",
	}.String())
	r.gateway = f
	f.load()
	return f
}

func (f *fixture) logout(login response) {
	f.t.Helper()
	f.do("POST", pub+"/logout", "", "Authorization", "Bearer "+login.str(f.t, "access_token")).want(f.t, http.StatusNoContent, "")
}

// TestEvents: everything that ends one or all sessions of a user sends one event, whose signature
// the published keys verify. Logins and refreshes send none.
func TestEvents(t *testing.T) {
	for _, store := range []string{"memory", "bolt {{.Dir}}/wxgate.db", "redis redis://" + startRedis(t).addr} {
		t.Run(strings.Fields(store)[0], func(t *testing.T) {
			r := newReceiver(t)
			f := newEventsFixture(t, r, store)
			login := f.login("alice")
			f.refresh(login.str(t, "refresh_token")).want(t, http.StatusOK, "")
			n := 0
			want := func(reason string, of response, session bool) {
				t.Helper()
				n++
				e := r.await(n)[n-1]
				if e.reason() != reason || e.Subject.User.Sub != of.str(t, "openId") || (e.Subject.Session.ID != "") != session {
					t.Errorf("event %+v, want %s", e, reason)
				}
			}
			f.logout(login)
			want("logout", login, true)

			bob := f.login("bob")
			f.login("bob")
			f.do("POST", pub+"/logout", `{"all":true}`, "Authorization", "Bearer "+bob.str(t, "access_token")).want(t, http.StatusNoContent, "")
			want("logout", bob, false)

			carol := f.login("carol")
			f.do("POST", pub+"/revoke", "token="+carol.str(t, "refresh_token"), "Content-Type", "application/x-www-form-urlencoded").want(t, http.StatusOK, "")
			want("token_revoked", carol, true)

			dave := f.login("dave")
			second := f.refresh(dave.str(t, "refresh_token")).str(t, "refresh_token")
			f.refresh(second).want(t, http.StatusOK, "")
			f.refresh(dave.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "refresh_reused")
			want("refresh_token_reused", dave, true)

			erin := f.login("erin")
			push, err := simpush.Event(f.sim.Sim, wechatsim.User{Name: "erin"}, "user_authorization_revoke", simpush.Target{Token: pushToken})
			if err != nil {
				t.Fatal(err)
			}
			f.do("POST", pub+"/callback?"+push.Query.Encode(), string(push.Body)).want(t, http.StatusOK, "")
			want("authorization_withdrawn", erin, false)

			log, err := os.ReadFile(f.dir + "/log")
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{eventsBearer, login.str(t, "openId"), r.raw[0]} {
				if strings.Contains(string(log), secret) {
					t.Errorf("the log has %s", excerpt(string(log), secret))
				}
			}
		})
	}
}

// TestEventsOfADeadReceiver: a logout works as usual while the receiver fails. The events
// survive a restart of the gateway, encrypted in the file, and each is delivered once when
// the receiver accepts events again.
func TestEventsOfADeadReceiver(t *testing.T) {
	const users = 20
	r := newReceiver(t)
	r.respond(http.StatusServiceUnavailable)
	f := newEventsFixture(t, r, "")
	openids := make(map[string]bool)
	for i := range users {
		login := f.login(fmt.Sprintf("user%d", i))
		openids[login.str(t, "openId")] = true
		f.logout(login)
		f.do("GET", "/x", "", "Authorization", "Bearer "+login.str(t, "access_token")).want(t, http.StatusUnauthorized, "session_revoked")
	}
	eventually(t, "an attempt for each event", func() bool { return r.attempts() >= users })
	f.stop()
	file, err := os.ReadFile(f.databasePath())
	if err != nil {
		t.Fatal(err)
	}
	for openid := range openids {
		if bytes.Contains(file, []byte(openid)) {
			t.Errorf("the file has the openid %s", openid)
		}
	}
	r.respond(http.StatusAccepted)
	f.load()
	for _, e := range r.await(users) {
		if !openids[e.Subject.User.Sub] {
			t.Errorf("an unexpected or duplicate event of %q", e.Subject.User.Sub)
		}
		delete(openids, e.Subject.User.Sub)
	}
}

// TestEventsOfASilentReceiver: a receiver that accepts connections and never responds
// delays no logout and no reload.
func TestEventsOfASilentReceiver(t *testing.T) {
	r := newReceiver(t)
	r.mu.Lock() // the receiver reads a request, and then blocks
	f := newEventsFixture(t, r, "")
	for i := range 20 {
		f.logout(f.login(fmt.Sprintf("user%d", i)))
	}
	f.load()
	f.logout(f.login("late"))
	f.stop()
	r.mu.Unlock()
	f.load()
	r.awaitAtLeast(21)
}

// TestEventsOfTwoMachines: machines that share a Redis share the queue. Events of both wait
// while the receiver is down. Then one machine is killed, and the other delivers the events of
// both, with valid signatures.
func TestEventsOfTwoMachines(t *testing.T) {
	const users = 6
	r := newReceiver(t)
	r.respond(http.StatusServiceUnavailable)
	t.Setenv("WXGATE_TEST_BEARER", eventsBearer)
	here := newSharedFixture(t, startRedis(t), "")
	here.config = strings.Replace(here.config, "secret {env.WXGATE_TEST_ROOT}", "secret {env.WXGATE_TEST_ROOT}\n\t\t"+eventsTo(r.url), 1)
	r.gateway = here
	here.load()
	there, kill := here.mortalReplica()
	openids := make(map[string]bool)
	for i := range users {
		for name, machine := range map[string]*fixture{"here": here, "there": there} {
			login := machine.login(fmt.Sprint(name, i))
			openids[login.str(t, "openId")] = true
			machine.logout(login)
		}
	}
	// An event that is being sent when its machine is killed waits until its lease ends. After
	// one attempt for each event, few are being sent.
	eventually(t, "all events are in the queue after an attempt", func() bool {
		return r.attempts() >= 2*users && queried[listedEvents](here, "events", "list").Waiting.Entries == 2*users
	})
	kill()
	r.respond(http.StatusAccepted)
	r.awaitAtLeast(2 * users)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		delete(openids, e.Subject.User.Sub)
	}
	if len(openids) > 0 {
		t.Errorf("no event of %v", openids)
	}
}

// awaitAtLeast waits for n events with different IDs.
func (r *receiver) awaitAtLeast(n int) {
	r.t.Helper()
	eventually(r.t, fmt.Sprintf("%d different events", n), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		ids := make(map[string]bool)
		for _, e := range r.events {
			ids[e.ID] = true
		}
		return len(ids) >= n
	})
}

// TestEventsReload: after a reload, waiting events are sent to the new URL. Without the option,
// they remain in the queue, and no event is added. A failed reload changes nothing.
func TestEventsReload(t *testing.T) {
	first, second := newReceiver(t), newReceiver(t)
	first.respond(http.StatusServiceUnavailable)
	f := newEventsFixture(t, first, "")
	second.gateway = f
	with := f.config
	f.logout(f.login("alice"))
	eventually(t, "an attempt", func() bool { return first.attempts() > 0 })

	f.config = strings.Replace(with, eventsTo(first.url), "", 1)
	f.load()
	f.logout(f.login("not-queued"))

	f.config = strings.Replace(with, first.url, second.url, 1) + "\nhttp://{{.Plain}} {\n\tbind 203.0.113.1\n}\n"
	if err := f.tryLoad(); err == nil {
		t.Fatal("a configuration with an address of another machine was loaded")
	}
	f.config = strings.Replace(with, first.url, second.url, 1)
	f.load()
	if e := second.await(1)[0]; e.reason() != "logout" {
		t.Errorf("event %+v", e)
	}
	f.logout(f.login("bob"))
	second.await(2)
}

// TestEventsConfiguration: options that cannot work or are unsafe are refused at load.
func TestEventsConfiguration(t *testing.T) {
	l := newLoadTest(t)
	t.Setenv("WXGATE_TEST_URL", "https://orders.example.com/events")
	to := func(rest string) string { return goodApp + "\n events_to " + rest }
	with := func(token string) string { return to("https://orders.example.com/events\n token {\n " + token + "\n}") }
	l.wantMistakes([]mistake{
		{"https", to("https://orders.example.com/events?tenant=1"), "", ""},
		{"placeholder", to("{env.WXGATE_TEST_URL}"), "", ""},
		{"loopback", to("http://127.0.0.1:9400/events"), "", ""},
		{"private", to("http://orders.internal/events"), "", ""},
		{"cleartext", to("http://orders.example.com/events"), "only accepted for loopback and private addresses", ""},
		{"user", to("https://u:p@orders.example.com/events"), "without credentials; the credential belongs in bearer", ""},
		{"fragment", to("https://orders.example.com/events#x"), "events_to: the URL must be a URL such as", ""},
		{"scheme", to("ftp://orders.example.com/events"), "events_to: the URL must be a URL such as", ""},
		{"no host", to("https:///events"), "events_to: the URL must be a URL such as", ""},
		{"empty", to("{env.WXGATE_TEST_EMPTY}"), "events_to: the URL is empty", ""},
		{"empty bearer", to("https://a.example.com {\n bearer {env.WXGATE_TEST_EMPTY}\n}"), "events_to: bearer is empty", ""},
		{"spaces in bearer", to("https://a.example.com {\n bearer \"a b\"\n}"), "no bearer token has", ""},
		{"literal bearer", to("https://a.example.com {\n bearer abcdef\n}"), "", "the bearer token of events_to is written in the configuration"},
		{"HS256", with("alg HS256"), "events_to needs signatures that the receiver can check: alg HS256 is a shared secret", ""},
		{"ES256", with("alg ES256"), "", ""},
		{"audience", with("audience https://orders.example.com/events"), "is an audience of access tokens too", ""},
	})
}
