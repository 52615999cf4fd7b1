package caddymodule_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// webhook is a service that the gateway sends messages to.
type webhook struct {
	t   *testing.T
	url string

	mu     sync.Mutex
	status int // of its responses
	tries  int // received requests
}

// listen starts the service at a path.
func (w *webhook) listen(path string, h http.Handler) {
	w.t.Helper()
	server := httptest.NewServer(h)
	w.t.Cleanup(server.Close)
	w.url = server.URL + path
}

func (w *webhook) respond(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = status
}

// attempts returns the number of received requests.
func (w *webhook) attempts() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tries
}

// awaitAll waits until the service has accepted n messages, and returns them.
func awaitAll[M any](w *webhook, n int, accepted *[]M) []M {
	w.t.Helper()
	var got []M
	eventually(w.t, fmt.Sprintf("%d messages", n), func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		got = append([]M(nil), *accepted...)
		return len(got) >= n
	})
	if len(got) != n {
		w.t.Fatalf("%d messages, want %d: %v", len(got), n, got)
	}
	return got
}
