package main_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// TestKillLosesNoEvent: all events that the queue has written are delivered after kill -9.
func TestKillLosesNoEvent(t *testing.T) {
	const users = 8
	var (
		mu        sync.Mutex
		accepting bool
		accepted  = map[string]bool{} // by jti: an event may be delivered twice
	)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if !accepting {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var event struct{ Jti string }
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(string(body)+"..", ".")[1])
		if err == nil {
			err = json.Unmarshal(payload, &event)
		}
		if err != nil || event.Jti == "" {
			t.Errorf("not an event: %v", err)
		}
		accepted[event.Jti] = true
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(receiver.Close)
	binary, err := exec.LookPath("wxgate") // this test binary; see TestMain
	if err != nil {
		t.Fatal(err)
	}
	w := newEmptyWorld(t)
	g := newGateway(t, binary, w.sim.URL, w.business)
	g.store += "\n\t\tevents_to " + receiver.URL + "/events"
	g.start()
	for i := range users {
		code, err := w.sim.Sim.MintCode(wechatsim.User{Name: fmt.Sprint("user", i)}, wechatsim.Login{})
		if err != nil {
			t.Fatal(err)
		}
		login, err := g.send(http.MethodPost, pub+"/openId", fmt.Sprintf(`{"code":%q}`, code.Code), "").pair()
		if err != nil {
			t.Fatal(err)
		}
		if r := g.send(http.MethodPost, pub+"/logout", "", login.Access); r.status != http.StatusNoContent {
			t.Fatalf("logout: %d %s %v", r.status, r.body, r.err)
		}
	}
	until := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(readyWithin); !done(); <-time.After(pollEvery) {
			if time.Now().After(deadline) {
				t.Fatal("never: " + what)
			}
		}
	}
	until("all events are in the queue", func() bool {
		return strings.Contains(g.operate(http.MethodGet, "/wxgate/events", "", nil).body, fmt.Sprintf(`"entries":%d,`, users))
	})
	g.kill()
	mu.Lock()
	accepting = true
	mu.Unlock()
	g.start()
	until("all events are delivered", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(accepted) >= users
	})
}
