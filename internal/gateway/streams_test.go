package gateway

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/failures"
	"github.com/wxgate/wxgate/internal/session"
)

const (
	testAllowance = 30 * time.Second
	testGrace     = 10 * time.Second
)

// nullServer is a server without placeholders and access logs.
var nullServer = Server{
	RequestID:    func(*http.Request) string { return "" },
	ClientIP:     func(*http.Request) string { return "" },
	ShuttingDown: func(*http.Request) bool { return false },
	SetIdentity:  func(*http.Request, *auth.Identity) {},
	NameUser:     func(*http.Request, *auth.Identity) {},
	LogCode:      func(*http.Request, string) {},
}

// nextFunc is a next handler.
type nextFunc func(http.ResponseWriter, *http.Request) error

func (f nextFunc) ServeHTTP(w http.ResponseWriter, r *http.Request) error { return f(w, r) }

// watchTest serves responses that last until their context ends, on a fake clock.
type watchTest struct {
	gateway *Gateway
	runtime *Runtime
}

func newWatchTest() *watchTest {
	guard := &Guard{Server: nullServer, Failures: new(failures.Log), Logger: zap.NewNop(), Allowance: testAllowance}
	return &watchTest{
		&Gateway{Guard: guard, config: Config{Access: time.Hour, Grace: testGrace}},
		&Runtime{Revocations: session.NewSet()},
	}
}

// sessionID returns a session ID made from a name of up to 16 bytes.
func sessionID(name string) auth.SessionID {
	var b [16]byte
	copy(b[:], name)
	return auth.SessionIDOf(b)
}

func (w *watchTest) id(name string) *auth.Identity {
	return &auth.Identity{Session: sessionID(name), Expires: time.Now().Add(time.Hour)}
}

func (w *watchTest) revoke(name string) {
	w.runtime.Revocations.Add(auth.Revocation{Session: sessionID(name), Until: time.Now().Add(2 * time.Hour)})
}

// serve serves a response and returns how long it took and whether it was aborted.
func (w *watchTest) serve(id *auth.Identity, next nextFunc) (took time.Duration, aborted bool, out *httptest.ResponseRecorder) {
	began := time.Now()
	out = httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/x", nil)
	defer func() {
		took = time.Since(began)
		if err, ok := recover().(error); ok {
			aborted = errors.Is(err, http.ErrAbortHandler)
		}
	}()
	_ = w.gateway.watched(decision{runtime: w.runtime, id: id}, out, r, next)
	return took, false, out
}

// begin returns a handler that starts a response of this type and waits.
func begin(contentType string) nextFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, "begun\n")
		<-r.Context().Done()
		return nil
	}
}

// TestResponsesEndWithTheirSession measures when responses end, with a resolution of one
// second.
func TestResponsesEndWithTheirSession(t *testing.T) {
	wait := func(_ http.ResponseWriter, r *http.Request) error { <-r.Context().Done(); return nil }
	late := func(w http.ResponseWriter, r *http.Request) error {
		time.Sleep(5 * time.Second)
		return begin("text/event-stream")(w, r)
	}
	for name, test := range map[string]struct {
		next    nextFunc
		revoked time.Duration // time after the request; 0 means never
		want    time.Duration
		status  int
	}{
		"NDJSON, revoked":                    {begin("application/x-ndjson"), 5 * time.Second, 15 * time.Second, 200},
		"NDJSON, revoked in first second":    {begin("application/x-ndjson"), time.Second / 2, 11 * time.Second, 200},
		"NDJSON, revoked just before end":    {begin("application/x-ndjson"), 2*time.Hour - time.Second, 2 * time.Hour, 200},
		"NDJSON, expired":                    {begin("application/x-ndjson"), 0, 2 * time.Hour, 200},
		"not started, revoked":               {wait, 5 * time.Second, 15 * time.Second, 401},
		"not started, expired":               {wait, 0, 2 * time.Hour, 401},
		"SSE, revoked":                       {begin("text/event-stream"), 5 * time.Second, 5 * time.Second, 200},
		"SSE, expired":                       {begin("Text/Event-Stream; charset=utf-8"), 0, time.Hour, 200},
		"SSE, revoked before its response":   {late, 3 * time.Second, 5 * time.Second, 200},
		"SSE that starts late, then revoked": {late, 7 * time.Second, 7 * time.Second, 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWatchTest()
				if test.revoked != 0 {
					time.AfterFunc(test.revoked, func() { w.revoke("one") })
				}
				took, aborted, out := w.serve(w.id("one"), test.next)
				if took != test.want {
					t.Errorf("ended after %v, want %v", took, test.want)
				}
				if out.Code != 0 && aborted != (test.status == http.StatusOK) {
					t.Errorf("aborted: %t, status %d", aborted, out.Code)
				}
				if !aborted && out.Code != test.status {
					t.Errorf("status %d, want %d: %s", out.Code, test.status, out.Body)
				}
				if left := w.runtime.Revocations.Watches(); left != 0 {
					t.Errorf("%d responses are still watched", left)
				}
			})
		})
	}
}

// TestResponsesEndWhenStale: other responses get the grace period in addition to the allowed
// staleness.
func TestResponsesEndWhenStale(t *testing.T) {
	for contentType, want := range map[string]time.Duration{
		"text/event-stream":    testAllowance,
		"application/x-ndjson": testAllowance + testGrace,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWatchTest()
			received := time.Now()
			w.runtime.Stale = func() time.Duration { return time.Since(received) }
			if took, _, _ := w.serve(w.id("one"), begin(contentType)); took < want || took > want+2*time.Second {
				t.Errorf("%s ended after %v, want %v", contentType, took, want)
			}
		})
	}
}

// TestTenThousandResponses ends half of them by revocation; the others finish. The registry is
// empty then, and no goroutine or timer is left: otherwise the bubble of synctest would not
// end.
func TestTenThousandResponses(t *testing.T) {
	const count = 10_000
	synctest.Test(t, func(t *testing.T) {
		w := newWatchTest()
		finish := make(chan struct{})
		var ended, group sync.WaitGroup
		for i := range count {
			id := w.id(strconv.Itoa(i))
			serve := func() {
				w.serve(id, func(rw http.ResponseWriter, r *http.Request) error {
					_, _ = io.WriteString(rw, "begun\n")
					select {
					case <-finish:
					case <-r.Context().Done():
					}
					return nil
				})
			}
			if i%2 == 0 {
				ended.Go(serve)
			} else {
				group.Go(serve)
			}
		}
		time.Sleep(2 * time.Second) // until they are watched
		if n := w.runtime.Revocations.Watches(); n != count {
			t.Errorf("%d of %d responses are watched", n, count)
		}
		for i := 0; i < count; i += 2 {
			w.revoke(strconv.Itoa(i))
		}
		revoked := time.Now()
		ended.Wait()
		if took := time.Since(revoked); took != testGrace {
			t.Errorf("ended %v after their sessions", took)
		}
		if n := w.runtime.Revocations.Watches(); n != count/2 {
			t.Errorf("%d responses are watched, %d are open", n, count/2)
		}
		close(finish)
		group.Wait()
		if n := w.runtime.Revocations.Watches(); n != 0 {
			t.Errorf("%d responses are still watched", n)
		}
	})
}
