package transport_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// reused sends a GET and reports whether a connection was reused for it.
func (s sender) reused(t *testing.T, r *http.Request) (reused bool) {
	t.Helper()
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }})
	s.do(t, r.WithContext(ctx))
	return reused
}

// TestReuse: a connection is reused only after a response whose end is known. Like
// TestTransportReadToEndReusesConn, TestTransportReuseConnEmptyResponseBody,
// TestTransportConnectionCloseOnResponse and TestTransportHeadResponses of net/http.
func TestReuse(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		method, response string
		want             bool
	}{
		"a length":              {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true},
		"no content":            {"GET", "HTTP/1.1 204 No Content\r\n\r\n", true},
		"not modified":          {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", true},
		"length 0":              {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
		"chunked":               {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true},
		"HEAD":                  {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true},
		"HEAD, chunked":         {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true},
		"a response says close": {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false},
		"HTTP/1.0":              {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
		"HTTP/1.0 keep-alive":   {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", true},
		"OPTIONS":               {"OPTIONS", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true},
		"POST without a body":   {"POST", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, nil, func(t *testing.T, s sender) {
				url := serveRaw(t, respond(tc.response))
				for n := range 3 {
					if got := s.reused(t, request(t, tc.method, url)); got != (tc.want && n > 0) {
						t.Errorf("request %d: reused %t", n, got)
					}
				}
			})
		})
	}
}

// TestUnreadBodyEndsConnection: if the caller does not read the whole body, the connection is
// closed.
func TestUnreadBodyEndsConnection(t *testing.T) {
	t.Parallel()
	both(t, nil, func(t *testing.T, s sender) {
		ended := make(chan error, 1)
		url := serveRaw(t, func(_ int, conn net.Conn, requests *bufio.Reader) {
			_, _ = http.ReadRequest(requests)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nthe beginning")
			_, err := requests.ReadByte()
			ended <- err
		})
		response, err := s.RoundTrip(request(t, http.MethodGet, url))
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err == nil {
			t.Error("the connection is open")
		}
		if n, err := response.Body.Read(make([]byte, 1)); n != 0 || err == nil || !strings.Contains(err.Error(), "read on closed response body") {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

// TestReadAfterEnd: a body that has ended does not return bytes of the next response on its
// connection.
func TestReadAfterEnd(t *testing.T) {
	t.Parallel()
	both(t, nil, func(t *testing.T, s sender) {
		url := serveRaw(t, respond("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
		first, _ := s.get(t, url)
		second, err := s.RoundTrip(request(t, http.MethodGet, url))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := first.Body.Read(make([]byte, 2)); n != 0 || err == nil {
			t.Errorf("the first body gave %d bytes of the second response, %v", n, err)
		}
		if body, err := io.ReadAll(second.Body); string(body) != "ok" {
			t.Errorf("%q, %v", body, err)
		}
	})
}

// TestIdleLimit is like TestTransportMaxPerHostIdleConns of net/http.
func TestIdleLimit(t *testing.T) {
	t.Parallel()
	both(t, func(settings *http.Transport) { settings.MaxIdleConnsPerHost = 2 }, func(t *testing.T, s sender) {
		const atOnce = 5
		arrived, leave, closed := make(chan struct{}, atOnce), make(chan struct{}), make(chan struct{}, atOnce)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-leave }))
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				closed <- struct{}{}
			}
		}
		server.Start()
		t.Cleanup(server.Close)
		var group sync.WaitGroup
		for range atOnce {
			r := request(t, http.MethodGet, server.URL)
			group.Go(func() {
				response, err := s.RoundTrip(r)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
			})
			<-arrived
		}
		close(leave)
		group.Wait()
		for range atOnce - 2 {
			<-closed
		}
		if len(closed) > 0 {
			t.Error("too many connections were closed")
		}
	})
}

// TestClosedWhileIdle: a connection that the upstream closed is detected before it is used.
// Like TestTransportServerClosingUnexpectedly of net/http, which detects it a moment later and
// may fail to send a POST.
func TestClosedWhileIdle(t *testing.T) {
	t.Parallel()
	s := newOwn(t)
	var requests atomic.Int64
	closed := make(chan struct{}, 1)
	url := serveRaw(t, func(_ int, conn net.Conn, reader *bufio.Reader) {
		if _, err := http.ReadRequest(reader); err != nil {
			return
		}
		requests.Add(1)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		_ = conn.Close()
		closed <- struct{}{}
	})
	const count = 20
	for range count {
		s.do(t, request(t, http.MethodPost, url))
		<-closed
	}
	if n := requests.Load(); n != count {
		t.Errorf("%d requests arrived, want %d", n, count)
	}
}

// TestPoisonedConnection: bytes that follow a response on its connection are not read as the
// response to the next request, which may be another user's. net/http detects them too, but a
// moment later.
func TestPoisonedConnection(t *testing.T) {
	t.Parallel()
	const good, bad = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"
	for name, first := range map[string][]string{
		"in one piece":                 {good + bad},
		"afterwards":                   {good, bad},
		"one byte":                     {good + "x"},
		"after an empty response":      {"HTTP/1.1 204 No Content\r\n\r\n" + bad},
		"after a HEAD with a body":     {"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n" + "good" + bad},
		"after both lengths":           {"HTTP/1.1 200 OK\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n" + bad},
		"after the last of the chunks": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n" + bad},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newOwn(t)
			next, written := make(chan struct{}), make(chan struct{})
			url := serveRaw(t, func(n int, conn net.Conn, requests *bufio.Reader) {
				if n > 0 {
					respond(good)(n, conn, requests)
					return
				}
				_, _ = http.ReadRequest(requests)
				for i, piece := range first {
					if i > 0 {
						<-next
					}
					_, _ = io.WriteString(conn, piece)
				}
				close(written)
				_, _ = requests.ReadByte() // until the connection is closed
			})
			s.get(t, url)
			close(next)
			<-written
			for range 3 {
				if _, body := s.get(t, url); body != "good" {
					t.Fatalf("the response is %q", body)
				}
			}
		})
	}
}

// TestIdleTimeout is like TestTransportIdleConnTimeout of net/http.
func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	both(t, func(settings *http.Transport) { settings.IdleConnTimeout = time.Nanosecond }, func(t *testing.T, s sender) {
		url := serveRaw(t, respond("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
		for range 3 {
			if s.reused(t, request(t, http.MethodGet, url)) {
				t.Error("an expired connection was used")
			}
		}
	})
}

// TestKeepAliveHint: a connection is not reused if the upstream is about to close it.
func TestKeepAliveHint(t *testing.T) {
	t.Parallel()
	for hint, want := range map[string]bool{
		"": true, "timeout=5": true, "timeout=5, max=100": true, "max=100,timeout=60": true, "max=1": true, "timeout=x": true, "timeout": true,
		"timeout=1": false, "max=3, timeout=0": false, "Timeout=1": false,
	} {
		t.Run(hint, func(t *testing.T) {
			t.Parallel()
			url := serveRaw(t, respond(fmt.Sprintf("HTTP/1.1 200 OK\r\nKeep-Alive: %s\r\nContent-Length: 2\r\n\r\nok", hint)))
			s := newOwn(t)
			s.get(t, url)
			if got := s.reused(t, request(t, http.MethodGet, url)); got != want {
				t.Errorf("reused %t, want %t", got, want)
			}
		})
	}
}
