package caddymodule_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/caddymodule/events"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// newOperatedEvents starts a gateway that sends events and has an admin socket.
func newOperatedEvents(t *testing.T, r *receiver) *fixture {
	t.Helper()
	t.Setenv("WXGATE_TEST_BEARER", eventsBearer)
	f := newOperatedFixture(t)
	f.config = strings.Replace(operated(eventsTo(r.url), "issuer wxgate"), "persist_config off",
		"persist_config off\n\tlog audit {\n\t\toutput file {{.Dir}}/audit.log\n\t\tinclude wxgate.audit\n\t}", 1)
	r.gateway = f
	f.load()
	return f
}

type listedEvents struct {
	To      string
	Waiting struct{ Entries, Bytes, Dead int }
	Dead    []struct {
		ID, Kind, Enqueued, Reason string
		Attempts                   int
	}
}

// queueGauge returns the value of an integer gauge of the queue of events.
func (f *fixture) queueGauge(name string) int {
	f.t.Helper()
	return f.gauge("wxgate_queue_" + name + `\{kind="event"\}`)
}

// TestEventsCommands: operators can list the queue and the dead letters, and resend dead letters,
// which keep their IDs. The output names no user.
func TestEventsCommands(t *testing.T) {
	r := newReceiver(t)
	r.respond(http.StatusForbidden) // refused: a dead letter at once
	f := newOperatedEvents(t, r)
	address := "--address=unix/" + f.socket()
	var openids []string
	for _, user := range []string{"alice", "bob", "carol"} {
		login := f.login(user)
		openids = append(openids, login.str(t, "openId"))
		f.logout(login)
	}
	var list listedEvents
	eventually(t, "three dead letters", func() bool {
		list = queried[listedEvents](f, "events", "list")
		return len(list.Dead) == 3
	})
	if list.To+"/events" != r.url || list.Waiting.Entries != 0 || list.Waiting.Dead != 3 {
		t.Errorf("%+v, to %s", list, r.url)
	}
	shown := f.operate("events", "list")
	for _, e := range list.Dead {
		if e.Kind != "event" || e.Attempts != 1 || e.Reason != "status 403" || e.Enqueued == "" || !strings.Contains(shown, e.ID) {
			t.Errorf("%+v is wrong, or missing in\n%s", e, shown)
		}
	}
	if dead, depth := f.queueGauge("dead"), f.queueGauge("depth"); dead != 3 || depth != 0 {
		t.Errorf("the gauges are %d dead and %d waiting", dead, depth)
	}
	for _, openid := range openids {
		if text := shown + fmt.Sprint(list); strings.Contains(text, openid) {
			t.Errorf("the list has the openid %s", openid)
		}
	}

	f.refusedTo([]string{"events", "resend", address}, "expected the ID of one dead letter")
	f.refusedTo([]string{"events", "resend", "--all", list.Dead[0].ID, address}, "expected the ID of one dead letter")
	f.refusedTo([]string{"events", "resend", "not-an-id", address}, "400", "not the ID of an event")
	f.refusedTo([]string{"events", "resend", strings.Repeat("A", 26), address}, "404", "no such dead letter")

	r.respond(http.StatusAccepted)
	if out := f.operate("events", "resend", list.Dead[1].ID); !strings.Contains(out, "delivery again: 1") {
		t.Errorf("resend printed %q", out)
	}
	if e := r.await(1)[0]; e.ID != list.Dead[1].ID {
		t.Errorf("%s was sent again, want %s", e.ID, list.Dead[1].ID)
	}
	if out := f.operate("events", "resend", "--all"); !strings.Contains(out, "delivery again: 2") {
		t.Errorf("resend printed %q", out)
	}
	r.await(3)
	if list = queried[listedEvents](f, "events", "list"); len(list.Dead) != 0 {
		t.Errorf("still dead: %+v", list.Dead)
	}
	if out := f.operate("events", "resend", "--all"); !strings.Contains(out, "delivery again: 0") {
		t.Errorf("resend without dead letters printed %q", out)
	}
	f.wantResendsAudited()
}

// wantResendsAudited checks that each resend is in the audit log with its outcome.
func (f *fixture) wantResendsAudited() {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, "audit.log"))
	if err != nil {
		f.t.Fatal(err)
	}
	calls := regexp.MustCompile(`"call":"events/resend".*"outcome":"(\w+)"(,"id":)?`).FindAllStringSubmatch(string(text), -1)
	var got []string
	for _, call := range calls {
		got = append(got, call[1]+call[2])
	}
	if want := `[invalid_request not_found,"id": ok,"id": ok ok]`; fmt.Sprint(got) != want || strings.Contains(string(text), "not-an-id") {
		f.t.Errorf("the audit log has %s, want %s:\n%s", got, want, text)
	}
}

// TestEventsFull: while the queue is full and the receiver is down, logout and erase work as
// usual, and dead letters for which the queue has no room are kept. Later, one event reports the
// lost events to the receiver.
func TestEventsFull(t *testing.T) {
	before := events.Limits
	t.Cleanup(func() { events.Limits = before })
	events.Limits.Entries = 2
	r := newReceiver(t)
	r.respond(http.StatusForbidden)
	f := newOperatedEvents(t, r)
	f.logout(f.login("dead"))
	eventually(t, "a dead letter", func() bool { return len(queried[listedEvents](f, "events", "list").Dead) == 1 })
	r.respond(http.StatusServiceUnavailable)
	for i := range 2 {
		f.logout(f.login(fmt.Sprint("first", i)))
	}
	eventually(t, "a full queue", func() bool { return queried[listedEvents](f, "events", "list").Waiting.Entries == 2 })
	if depth, bytes := f.queueGauge("depth"), f.queueGauge("bytes"); depth != 2 || bytes < 1024 {
		t.Errorf("the gauges are %d waiting with %d bytes", depth, bytes)
	}
	if body := f.do("GET", "/metrics", "").body; !regexp.MustCompile(`(?m)^wxgate_queue_oldest_seconds\{kind="event"\} [0-9.e-]*[1-9]`).MatchString(body) {
		t.Error("no gauge has the age of the oldest event")
	}
	f.refusedTo([]string{"events", "resend", "--all", "--address=unix/" + f.socket()}, "409", "the queue is full: 0 of 1")
	if list := queried[listedEvents](f, "events", "list"); len(list.Dead) != 1 {
		t.Errorf("the dead letter is gone: %+v", list)
	}

	alice, bob := f.login("alice"), f.login("bob")
	f.logout(alice)
	f.wantCall(alice.str(t, "access_token"), http.StatusUnauthorized, "session_revoked")
	out := f.operate("user", "erase", "--app", wechatsim.DefaultApp.ID, "--openid", bob.str(t, "openId"))
	if !strings.HasPrefix(out, "erased\n") {
		t.Errorf("user erase printed %s", out)
	}
	f.wantCall(bob.str(t, "access_token"), http.StatusUnauthorized, "session_revoked")
	f.refresh(bob.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")

	r.respond(http.StatusAccepted)
	r.awaitAtLeast(3)
	r.mu.Lock()
	defer r.mu.Unlock()
	lost := 0
	for _, e := range r.events {
		if _, ok := e.Events["https://github.com/wxgate/wxgate/event-type/events-lost"]; ok {
			lost++
		}
	}
	if lost == 0 {
		t.Error("no event reports the lost events")
	}
}
