package playground

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/wxgate/wxgate/internal/demo/service"
)

// until returns once the state is as wanted. Each change of it is an event.
func (f *fixture) until(want func(state) bool) {
	f.t.Helper()
	_, next, leave := f.recorder.subscribe()
	defer leave()
	for !want(f.state()) {
		select {
		case <-next:
		case <-f.t.Context().Done():
			f.t.Fatal("the state did not change")
		}
	}
}

// TestStreams opens both, gets messages, and hangs up.
func TestStreams(t *testing.T) {
	f := newFixture(t)
	if a := f.do("open", alice(command{Kind: webSocket})); a.Status != http.StatusUnauthorized || len(f.state().Streams) != 0 {
		t.Errorf("before the login: %+v", a)
	}
	f.do("login", alice(command{}))
	for _, test := range []struct {
		kind   string
		status int
	}{{webSocket, http.StatusSwitchingProtocols}, {eventStream, http.StatusOK}} {
		t.Run(test.kind, func(t *testing.T) {
			a := f.do("open", alice(command{Kind: test.kind}))
			if a.Status != test.status || a.Error != "" {
				t.Fatalf("%+v", a)
			}
			if got := arrows(f.messages(a.ID)); !strings.HasPrefix(got, "phone>gateway gateway>upstream upstream>gateway") {
				t.Errorf("the arrows are %s", got)
			}
			of := func(s state) stream {
				for _, open := range s.Streams {
					if open.Kind == test.kind {
						return open
					}
				}
				return stream{}
			}
			f.until(func(s state) bool { return of(s).Messages > 0 })
			if last := of(f.state()).Last; !strings.HasPrefix(last, "hello alice, message ") {
				t.Errorf("the message is %q", last)
			}
			if again := f.do("open", alice(command{Kind: test.kind})); again.Error != errStreamOpen.Error() {
				t.Errorf("a second one: %+v", again)
			}
			f.do("hangup", alice(command{Kind: test.kind}))
			f.until(func(s state) bool { return !of(s).Open })
			if s := of(f.state()); !s.HungUp {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestOwnService: the requests to a service of the user's are shown like those to the demo,
// and a service that is down is named.
func TestOwnService(t *testing.T) {
	var got http.Header
	theirs := serve(t, service.Streams(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		http.Error(w, "no such order", http.StatusNotFound)
	})))
	own, err := service.Parse(theirs.URL)
	if err != nil {
		t.Fatal(err)
	}
	f := newFixtureOf(t, own.Handler())
	f.do("login", alice(command{}))
	const there = "phone>gateway gateway>upstream upstream>gateway"
	a := f.do("call", alice(command{Path: "/orders/7?full=1"}))
	if shown := arrows(f.messages(a.ID)); a.Status != http.StatusNotFound || shown != there+" gateway>phone" || got.Get("X-Wx-Openid") != "alice" {
		t.Errorf("%+v: %s, it got %v", a, shown, got)
	}
	a = f.do("open", alice(command{Kind: webSocket}))
	if shown := f.messages(a.ID); a.Status != http.StatusSwitchingProtocols || !strings.HasPrefix(arrows(shown), there) || shown[2].Status != http.StatusSwitchingProtocols {
		t.Errorf("%+v: %+v", a, shown)
	}
	f.do("hangup", alice(command{Kind: webSocket}))
	f.until(func(s state) bool { return !s.Streams[0].Open })
	theirs.CloseClientConnections()
	theirs.Close()
	if a := f.do("call", alice(command{Path: "/"})); a.Status != http.StatusBadGateway || a.Code != service.CodeDown {
		t.Errorf("%+v", a)
	}
}

// TestStatesInOrder: when two streams end at once, the pages must not keep the state in which
// one of them was open.
func TestStatesInOrder(t *testing.T) {
	const rounds = 40 // one finds the mistake in about one of six runs
	for range rounds {
		statesInOrder(t)
	}
}

func statesInOrder(t *testing.T) {
	t.Helper()
	const changes = 400 // fewer than a page may be behind
	p := New(Config{})
	_, next, leave := p.recorder.subscribe()
	defer leave()
	s := &stream{Kind: eventStream}
	p.streams[eventStream] = s
	var all sync.WaitGroup
	for range changes {
		all.Go(func() { p.received(s, "") })
	}
	all.Wait()
	newest := 0
	for range changes {
		var got state
		if err := json.Unmarshal((<-next).data, &got); err != nil {
			t.Fatal(err)
		}
		n := got.Streams[0].Messages
		if n < newest {
			t.Fatalf("a state with %d messages follows one with %d", n, newest)
		}
		newest = n
	}
}
