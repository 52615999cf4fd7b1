package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
)

const pushedApp = "wx0000000000000001"

// service is a service that a forward names. It needs no SDK of WeChat.
type service struct {
	webhook

	before func() // called for each request before it is accepted
	got    []pushed
}

// pushed is a message that a service received.
type pushed struct {
	header http.Header
	body   string
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{webhook: webhook{t: t, status: http.StatusOK}}
	s.listen("/wechat", s)
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if s.status < 300 {
		if s.before != nil {
			s.before()
		}
		s.got = append(s.got, pushed{r.Header, string(body)})
	}
	w.WriteHeader(s.status)
}

// await waits for n messages, and returns all messages.
func (s *service) await(n int) []pushed {
	s.t.Helper()
	return awaitAll(&s.webhook, n, &s.got)
}

// forwarding returns the options of an app that forwards to services; each line is a forward.
func forwarding(lines ...string) string {
	kind := ""
	if strings.HasSuffix(lines[0], " reply") {
		kind = "kind official\n\t\t\t"
	}
	return kind + "callback {env.WXGATE_TEST_PUSH} {env.WXGATE_TEST_PUSH_KEY} {\n\t\t\t\tforward " + strings.Join(lines, "\n\t\t\t\tforward ") + "\n\t\t\t}"
}

func setPushEnv(t *testing.T) {
	t.Helper()
	t.Setenv("WXGATE_TEST_PUSH", pushToken)
	t.Setenv("WXGATE_TEST_PUSH_KEY", pushKey)
}

// newPushFixture starts a gateway that forwards messages and has an admin socket.
func newPushFixture(t *testing.T, lines ...string) *fixture {
	t.Helper()
	setPushEnv(t)
	f := newOperatedFixture(t)
	f.config = strings.Replace(operated("", "issuer wxgate"), "api {{.API}}\n", "api {{.API}}\n\t\t\t"+forwarding(lines...)+"\n", 1)
	f.load()
	return f
}

// customerText returns the message that WeChat pushes when a user writes to customer service.
func customerText(openid, id, content string) string {
	return fmt.Sprintf(`{"ToUserName":"gh_919b00572d95","FromUserName":%q,"CreateTime":1651049934,"MsgType":"text","Content":%q,"MsgId":%s}`, openid, content, id)
}

// pushMessage pushes a message to an app, as WeChat does.
func (f *fixture) pushMessage(app, text string) response {
	f.t.Helper()
	r, err := simpush.Message(f.sim.Sim, text, simpush.Target{Token: pushToken, EncodingAESKey: pushKey, Receiver: app})
	if err != nil {
		f.t.Fatal(err)
	}
	return f.do("POST", pub+"/callback?"+r.Query.Encode(), string(r.Body))
}

// wantPushed pushes a message, which the gateway must acknowledge.
func (f *fixture) wantPushed(text string) {
	f.t.Helper()
	a := f.pushMessage(pushedApp, text)
	if a.want(f.t, http.StatusOK, ""); a.body != "success" {
		f.t.Errorf("WeChat got %q", a.body)
	}
}

// TestPushes: services get each of WeChat's pushes once, in the format of Cloud Hosting, after the
// gateway has processed it.
func TestPushes(t *testing.T) {
	all, orders := newService(t), newService(t)
	f := newPushFixture(t, all.url, orders.url+" subscribe")
	alice := wechatsim.OpenIDFor(pushedApp, "alice")
	const secret = "a secret that the user wrote"
	for range 3 { // WeChat repeats it, with a new encryption and signature
		f.wantPushed(customerText(alice, "23637352235060880", secret))
	}
	got := all.await(1)[0]
	if got.body != customerText(alice, "23637352235060880", secret) {
		t.Errorf("the service got %s", got.body)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "X-WX-SOURCE": "wx_push", "X-WX-APPID": pushedApp, "X-WX-OPENID": alice} {
		if value := got.header.Values(name); len(value) != 1 || value[0] != want {
			t.Errorf("%s: %q, want %q", name, value, want)
		}
	}
	f.wantPushed(fmt.Sprintf(`{"FromUserName":%q,"CreateTime":1,"MsgType":"event","Event":"subscribe"}`, alice))
	orders.await(1)

	// A service learns that a user withdrew only after the sessions have ended.
	login := f.login("alice")
	status := 0
	all.mu.Lock()
	all.before = func() {
		if a, err := f.try("GET", pub+"/session", "", "Authorization", "Bearer "+login.str(t, "access_token")); err == nil {
			status = a.status
		}
	}
	all.mu.Unlock()
	f.wantPushed(fmt.Sprintf(`{"FromUserName":"gh_1","CreateTime":2,"MsgType":"event","Event":"user_authorization_revoke"," OpenID":%q," AppID":%q}`, alice, pushedApp))
	if revoked := all.await(2)[1]; revoked.header.Get("X-WX-OPENID") != alice || status != http.StatusUnauthorized {
		t.Errorf("the service got the withdrawal of %q while the status of the session was %d", revoked.header.Get("X-WX-OPENID"), status)
	}

	body := f.do("GET", "/metrics", "").body
	for _, series := range []string{`wxgate_pushes_total{event="other",outcome="queued"}`, `wxgate_pushes_total{event="other",outcome="duplicate"}`, `wxgate_queue_messages_total{kind="push",outcome="delivered"}`} {
		if !strings.Contains(body, "\n"+series+" ") {
			t.Errorf("no %s", series)
		}
	}
	eventually(t, "no message is left", func() bool {
		for _, q := range queried[listedPushes](f, "status").Pushes {
			if q.Waiting.Entries > 0 {
				return false
			}
		}
		return true
	})
	file, err := os.ReadFile(f.databasePath())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{secret, alice} {
		if strings.Contains(string(file), text) {
			t.Errorf("the file has %q", text)
		}
	}
}

type listedPushes struct {
	Pushes []struct {
		App, To string
		Events  []string
		Waiting struct{ Entries, Dead int }
	}
	Dead []struct{ ID, Kind, To, Reason string }
}

// TestPushCommands: operators can list the queue of each service and resend dead letters. The
// output names no user.
func TestPushCommands(t *testing.T) {
	refusing, down := newService(t), newService(t)
	refusing.respond(http.StatusForbidden)
	down.respond(http.StatusInternalServerError)
	f := newPushFixture(t, refusing.url, down.url+" subscribe unsubscribe")
	alice := wechatsim.OpenIDFor(pushedApp, "alice")
	f.wantPushed(customerText(alice, "1", "one"))
	f.wantPushed(customerText(alice, "2", "two"))
	f.wantPushed(fmt.Sprintf(`{"FromUserName":%q,"CreateTime":1,"MsgType":"event","Event":"subscribe"}`, alice))
	var list listedPushes
	eventually(t, "two dead letters", func() bool {
		list = queried[listedPushes](f, "events", "list")
		return len(list.Dead) == 2 && down.attempts() > 0
	})
	for _, e := range list.Dead {
		if e.Kind != "push" || e.To+"/wechat" != refusing.url || e.Reason != "status 403" {
			t.Errorf("dead letter %+v", e)
		}
	}
	if q := list.Pushes[1]; len(list.Pushes) != 2 || q.App != pushedApp || q.Waiting.Entries != 1 || fmt.Sprint(q.Events) != "[subscribe unsubscribe]" {
		t.Errorf("queues %+v", list.Pushes)
	}
	for _, shown := range []string{f.operate("status"), f.operate("events", "list")} {
		for _, line := range []string{
			"pushes of " + pushedApp + " to " + strings.TrimSuffix(refusing.url, "/wechat") + " (all other messages) 0 waiting, 2 dead",
			"pushes of " + pushedApp + " to " + strings.TrimSuffix(down.url, "/wechat") + " (subscribe unsubscribe) 1 waiting since ",
		} {
			if !strings.Contains(shown, line) || strings.Contains(shown, alice) {
				t.Errorf("%q is missing, or the openid is shown:\n%s", line, shown)
			}
		}
	}
	refusing.respond(http.StatusOK)
	if out := f.operate("events", "resend", list.Dead[1].ID); !strings.Contains(out, "delivery again: 1") {
		t.Errorf("resend printed %q", out)
	}
	refusing.await(1)
	f.wantPushed(customerText(alice, "2", "two")) // still a duplicate
	if out := f.operate("events", "resend", "--all"); !strings.Contains(out, "delivery again: 1") {
		t.Errorf("resend printed %q", out)
	}
	refusing.await(2)
}

// TestPushReload: a new URL also applies to waiting messages, and a reload that changes one
// forward does not affect the others.
func TestPushReload(t *testing.T) {
	first, second, other := newService(t), newService(t), newService(t)
	first.respond(http.StatusServiceUnavailable)
	other.respond(http.StatusServiceUnavailable)
	f := newPushFixture(t, first.url, other.url+" subscribe")
	alice := wechatsim.OpenIDFor(pushedApp, "alice")
	f.wantPushed(customerText(alice, "1", "one"))
	f.wantPushed(fmt.Sprintf(`{"FromUserName":%q,"CreateTime":1,"MsgType":"event","Event":"subscribe"}`, alice))
	eventually(t, "an attempt for each message", func() bool { return first.attempts() > 0 && other.attempts() > 0 })
	f.config = strings.Replace(f.config, first.url, second.url, 1)
	f.load()
	second.await(1)
	f.wantPushed(customerText(alice, "1", "one")) // still a duplicate
	f.wantPushed(customerText(alice, "2", "two"))
	second.await(2)
	other.respond(http.StatusOK)
	other.await(1)
	if n := len(first.await(0)); n != 0 {
		t.Errorf("the old service accepted %d messages", n)
	}
}

// TestPushesOfTwoMachines: machines that share a Redis share the queue and the IDs of messages.
// One machine accepts messages and is killed; the other acknowledges their repetitions and
// delivers them. While Redis is down, no message is acknowledged.
func TestPushesOfTwoMachines(t *testing.T) {
	s := newService(t)
	s.respond(http.StatusServiceUnavailable)
	setPushEnv(t)
	redis := startRedis(t)
	here := newSharedFixture(t, redis, "")
	here.config = strings.Replace(here.config, "api {{.API}}\n", "api {{.API}}\n\t\t\t"+forwarding(s.url)+"\n", 1)
	here.load()
	there, kill := here.mortalReplica()
	const n = 6
	for i := range n {
		machine := here
		if i%2 > 0 {
			machine = there
		}
		machine.wantPushed(customerText(wechatsim.OpenIDFor(pushedApp, fmt.Sprint("user", i)), fmt.Sprint(i), "hi"))
	}
	eventually(t, "all messages are in the queue after an attempt", func() bool {
		queues := queried[listedPushes](here, "status").Pushes
		return s.attempts() >= n && len(queues) == 1 && queues[0].Waiting.Entries == n
	})
	kill()
	for i := range n {
		here.wantPushed(customerText(wechatsim.OpenIDFor(pushedApp, fmt.Sprint("user", i)), fmt.Sprint(i), "hi"))
	}
	s.respond(http.StatusOK)
	ids := make(map[string]bool)
	eventually(t, "all messages were delivered", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, m := range s.got {
			var message struct {
				MsgID json.Number `json:"MsgId"`
			}
			if err := json.Unmarshal([]byte(m.body), &message); err != nil {
				t.Fatal(err)
			}
			ids[message.MsgID.String()] = true
		}
		return len(ids) == n
	})
	redis.kill()
	here.pushMessage(pushedApp, customerText("o1", "99", "hi")).want(t, http.StatusServiceUnavailable, "store_unavailable")
}

// TestPushConfiguration: options that cannot work or are unsafe are refused at load.
func TestPushConfiguration(t *testing.T) {
	l := newLoadTest(t)
	setPushEnv(t)
	t.Setenv("WXGATE_TEST_URL", "https://orders.example.com/wechat")
	with := func(lines ...string) string { return goodApp + " {\n" + forwarding(lines...) + "\n}" }
	const orders = "https://orders.example.com/wechat"
	l.wantMistakes([]mistake{
		{"https", with(orders), "", ""},
		{"placeholder", with("{env.WXGATE_TEST_URL} subscribe"), "", ""},
		{"loopback", with("http://127.0.0.1:9000/wechat"), "", ""},
		{"cleartext", with("http://orders.example.com/wechat"), "callback: forward: the URL", ""},
		{"user", with("https://u:p@orders.example.com/"), "without user and password", ""},
		{"empty", with("{env.WXGATE_TEST_EMPTY}"), "forward: the URL is empty", ""},
		{"long", with("https://orders.example.com/" + strings.Repeat("x", 128)), "the URL has more than 128 bytes", ""},
		{"HS256", with(orders) + "\n token {\n alg HS256\n}", "forward needs signatures that the service can check: alg HS256 is a shared secret", ""},
		{"audience", with(orders) + "\n token {\n audience " + orders + "\n}", "is an audience of access tokens too", ""},
	})
}
