package caddymodule_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

func init() {
	caddy.RegisterModule(eventHandler{})
}

// eventHandler is an event handler that records the events and aborts them. It may also block or
// panic.
type eventHandler struct{}

// kept has the recorded events of the running test, and how its handler behaves.
var kept struct {
	sync.Mutex
	events  []caddy.Event
	panics  bool
	blocked chan struct{} // handlers wait until it is closed, unless it is nil
}

// CaddyModule returns the module's ID and constructor.
func (eventHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.wxgate_test", New: func() caddy.Module { return new(eventHandler) }}
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (*eventHandler) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

// Handle records an event and aborts it.
func (*eventHandler) Handle(_ context.Context, e caddy.Event) error {
	kept.Lock()
	kept.events = append(kept.events, e)
	panics, blocked := kept.panics, kept.blocked
	kept.Unlock()
	if blocked != nil {
		<-blocked
	}
	if panics {
		panic("a bug of the handler")
	}
	return fmt.Errorf("refused by the test: %w", caddy.ErrEventAborted)
}

// newEventFixture subscribes the handler to every event of wxgate.
func newEventFixture(t *testing.T) *fixture {
	t.Helper()
	kept.Lock()
	kept.events, kept.panics, kept.blocked = nil, false, nil
	kept.Unlock()
	f := newAuditFixture(t)
	subscriptions := "events {\n"
	for _, name := range audit.EventNames() {
		subscriptions += "\t\ton " + name + " wxgate_test\n"
	}
	f.config = strings.Replace(f.config, "persist_config off", "persist_config off\n\t"+subscriptions+"\t}", 1)
	f.load()
	return f
}

// keptEvents returns the events so far, by name.
func keptEvents() map[string][]map[string]any {
	kept.Lock()
	defer kept.Unlock()
	byName := make(map[string][]map[string]any)
	for _, e := range kept.events {
		byName[e.Name()] = append(byName[e.Name()], e.Data)
	}
	return byName
}

// TestCaddyEvents: although a handler aborts every event, all requests succeed, and the handler
// gets each event with its data.
func TestCaddyEvents(t *testing.T) {
	f := newEventFixture(t)
	first, _ := f.auditLines()[0]["key"].(string)
	r := &auditRun{fixture: f}
	r.refreshes()
	r.decodes()
	r.budget()
	r.logouts()
	r.revocations()
	r.keys(first)
	want := map[string]int{}
	for _, line := range r.want { // the audit lines of this run, which TestAudit compares
		action, rest, _ := strings.Cut(line, " ")
		outcome, _, _ := strings.Cut(rest, " ")
		if name := (audit.Event{Action: audit.Action(action), Outcome: outcome}).Name(); name != "" {
			want[name]++
		}
	}
	for _, name := range audit.EventNames() {
		if want[name] == 0 {
			t.Errorf("no request causes %s", name)
		}
		eventually(t, name+" arrived", func() bool { return len(keptEvents()[name]) == want[name] })
	}
	for name, events := range keptEvents() {
		for _, data := range events {
			if data["action"] == nil || data["outcome"] == nil || data["by"] == nil {
				t.Errorf("%s with %v", name, data)
			}
			for _, secret := range r.secrets {
				if strings.Contains(fmt.Sprint(data), secret) {
					t.Errorf("%s has %q: %v", name, secret, data)
				}
			}
		}
	}
	login := keptEvents()[audit.EventLogin][0]
	if login["app"] != wechatsim.DefaultApp.ID || login["user_id"] == nil || login["session"] == nil || login["client"] != "127.0.0.1" {
		t.Errorf("the login has %v", login)
	}
}

// TestBadEventHandlers: a handler that blocks or panics stops neither logins nor the process.
func TestBadEventHandlers(t *testing.T) {
	f := newEventFixture(t)
	blocked := make(chan struct{})
	kept.Lock()
	kept.panics, kept.blocked = true, blocked
	kept.Unlock()
	for range 3 {
		f.login("alice")
	}
	eventually(t, "the handler blocks on the first event", func() bool { return len(keptEvents()[audit.EventLogin]) == 1 })
	f.do("POST", pub+"/openId", `{"code":"made-up-code"}`).want(t, http.StatusUnauthorized, "invalid_code")
	close(blocked)
	eventually(t, "the other events arrive", func() bool {
		return len(keptEvents()[audit.EventLogin]) == 3 && len(keptEvents()[audit.EventLoginFailed]) == 1
	})
}

// TestCaddyEventsAreDocumented: docs/observability.md has every event.
func TestCaddyEventsAreDocumented(t *testing.T) {
	for _, name := range audit.EventNames() {
		if !strings.Contains(readDocument(t, "observability.md"), "\n| `"+name+"` | ") {
			t.Errorf("docs/observability.md does not have the event %s", name)
		}
	}
}
