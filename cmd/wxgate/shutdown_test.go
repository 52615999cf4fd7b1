package main_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReadyDuringShutdown sends SIGTERM to a gateway with shutdown_delay: ready fails at once
// with the reason, and other requests are still served.
func TestReadyDuringShutdown(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(upstream.Close)
	g := newGateway(t, buildGateway(t), "http://127.0.0.1:9", strings.TrimPrefix(upstream.URL, "http://"))
	g.site = "public /open"
	g.global = "shutdown_delay 4s"
	g.start()

	// After a reload, the gateway is ready.
	g.settings = "alg EdDSA\n\t\t\taccess 30m"
	config := g.configure()
	if r := g.operate(http.MethodPost, "/load", "text/caddyfile", config); r.status != http.StatusOK {
		t.Fatalf("reload: %d %s %v", r.status, r.body, r.err)
	}
	if r := g.send(http.MethodGet, "/v1.0/pub/ready", "", ""); r.status != http.StatusOK {
		t.Errorf("ready after a reload: %d %s %v", r.status, r.body, r.err)
	}

	if err := g.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	const noticedWithin = 2 * time.Second
	for signalled := time.Now(); ; <-time.After(pollEvery) {
		r := g.send(http.MethodGet, "/v1.0/pub/ready", "", "")
		if r.status == http.StatusServiceUnavailable {
			if !strings.Contains(r.body, `"shutting_down"`) {
				t.Errorf("ready is 503 because of %s", r.body)
			}
			break
		}
		if r.err != nil || time.Since(signalled) > noticedWithin {
			t.Fatalf("ready %v after SIGTERM: %d %s %v", time.Since(signalled), r.status, r.body, r.err)
		}
	}
	for path, want := range map[string]int{"/open": http.StatusOK, "/v1.0/pub/live": http.StatusOK, "/closed": http.StatusUnauthorized} {
		if r := g.send(http.MethodGet, path, "", ""); r.status != want {
			t.Errorf("%s during shutdown_delay: %d %s %v", path, r.status, r.body, r.err)
		}
	}
	select {
	case err := <-g.exited:
		if err != nil {
			t.Errorf("exit: %v\n%s", err, g.tail())
		}
		g.process = nil
	case <-time.After(respondWithin):
		t.Errorf("the gateway did not exit\n%s", g.tail())
	}
}
