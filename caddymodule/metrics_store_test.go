package caddymodule_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// TestRevocationsAreCounted: a logout of all sessions adds one revocation to the gauge.
func TestRevocationsAreCounted(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	count := func() int { return f.gauge("wxgate_revocations") }
	alice := f.login("alice").str(t, "openId")
	before := count()
	f.operate("user", "logout", "--app", wechatsim.DefaultApp.ID, "--openid", alice)
	if got := count(); got != before+1 {
		t.Errorf("%d revocations, want %d", got, before+1)
	}
}

// TestStreamsAreCounted: the gauge counts an event stream from its first byte to its end.
func TestStreamsAreCounted(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	end := make(chan struct{})
	f.upstream.respondWith(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-end:
		case <-r.Context().Done():
		}
	})
	token := f.token("alice")
	if n := f.gauge("wxgate_streams"); n != 0 {
		t.Fatalf("%d streams before the first", n)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = f.try("GET", "/events", "", "Authorization", "Bearer "+token)
	}()
	eventually(t, "the stream is counted", func() bool { return f.gauge("wxgate_streams") == 1 })
	close(end)
	<-done
	eventually(t, "its end is counted", func() bool { return f.gauge("wxgate_streams") == 0 })
}

// gauge returns the value of one of wxgate's gauges.
func (f *fixture) gauge(name string) (n int) {
	f.t.Helper()
	found := regexp.MustCompile(`(?m)^` + name + ` (\d+)$`).FindStringSubmatch(f.do("GET", "/metrics", "").body)
	if found == nil {
		f.t.Fatalf("no %s", name)
	}
	_, _ = fmt.Sscan(found[1], &n)
	return n
}
