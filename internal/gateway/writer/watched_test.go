package writer

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/session"
)

// watch watches a response of a session that expires in an hour.
func watch(r *http.Request) *Watched {
	id := &auth.Identity{Session: auth.SessionIDOf([16]byte{1}), Expires: time.Now().Add(time.Hour)}
	rules := Rules{Revocations: session.NewSet(), Access: time.Hour, Grace: time.Minute}
	return Watch(httptest.NewRecorder(), r, id, new(edge.Edge).Redactor(id), rules)
}

// TestWatchedFrom: an upload is watched although no caller waits for its context and nothing is
// written. Other short requests need no entry in the registry.
func TestWatchedFrom(t *testing.T) {
	for body, want := range map[int64]int{0: 0, 1: 1, -1: 1} {
		synctest.Test(t, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/x", nil)
			r.ContentLength = body
			w := watch(r)
			defer w.Release()
			time.Sleep(watchAfter - time.Millisecond)
			if n := w.rules.Revocations.Watches(); n != 0 {
				t.Errorf("a body of %d: %d watched before %v", body, n, watchAfter)
			}
			time.Sleep(2 * time.Millisecond)
			if n := w.rules.Revocations.Watches(); n != want {
				t.Errorf("a body of %d: %d watched, want %d", body, n, want)
			}
		})
	}
}

// TestWhatIsAStream: streams end with their session at once. Nothing is written to tunnels.
func TestWhatIsAStream(t *testing.T) {
	t.Parallel()
	const sse = "text/event-stream"
	for name, test := range map[string]struct {
		status          int
		contentType     string
		upgrade         bool
		method          string
		started, stream bool
		tunnel          bool
	}{
		"early hints":             {103, sse, false, "GET", false, false, false},
		"an upgrade":              {101, "", true, "GET", true, true, true},
		"an event stream":         {200, sse, false, "GET", true, true, false},
		"in capitals":             {299, "Text/Event-Stream", false, "GET", true, true, false},
		"a redirect":              {300, sse, false, "GET", true, false, false},
		"JSON":                    {200, "application/json", false, "GET", true, false, false},
		"an upgrade over HTTP/2":  {200, "", false, "CONNECT", true, true, true},
		"an upgrade that failed":  {400, "", true, "GET", true, false, false},
		"an upgrade, yet no 101":  {200, "", true, "GET", true, true, false},
		"a CONNECT with 404":      {404, "", false, "CONNECT", true, false, true},
		"a status below 100":      {199, "", false, "GET", false, false, false},
		"a response without type": {204, "", false, "GET", true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), test.method, "/x", nil)
			if test.upgrade {
				r.Header.Set("Upgrade", "websocket")
			}
			w := watch(r)
			defer w.Release()
			w.Header().Set("Content-Type", test.contentType)
			w.start(test.status)
			if w.started != test.started || w.stream != test.stream || w.tunnel != test.tunnel {
				t.Errorf("started %t, stream %t, tunnel %t", w.started, w.stream, w.tunnel)
			}
			if watched := w.rules.Revocations.Watches() == 1; watched != test.stream {
				t.Errorf("watched: %t", watched)
			}
		})
	}
}
