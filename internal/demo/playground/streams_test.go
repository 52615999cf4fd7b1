package playground

import (
	"net/http"
	"strings"
	"testing"
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
