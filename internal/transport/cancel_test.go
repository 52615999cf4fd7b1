package transport_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"
)

// canceled sends a request whose context ends after it arrived and before it gets a response.
func canceled(t *testing.T, s sender, begin string, wait func(*http.Response, context.CancelCauseFunc) error) (err error, upstreamSaw error) {
	t.Helper()
	saw := make(chan error, 1)
	arrived := make(chan struct{})
	url := serveRaw(t, func(_ int, conn net.Conn, requests *bufio.Reader) {
		_, _ = http.ReadRequest(requests)
		_, _ = io.WriteString(conn, begin)
		close(arrived)
		_, err := requests.ReadByte()
		saw <- err
	})
	r := request(t, http.MethodGet, url)
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	if begin == "" {
		go func() { <-arrived; cancel(errGone) }()
	}
	response, err := s.RoundTrip(r.WithContext(ctx))
	if err == nil {
		err = wait(response, cancel)
		defer response.Body.Close()
	}
	return err, <-saw
}

var errGone = errors.New("the client has gone")

// TestCanceled: a request whose context ends returns the context's error, and its connection is
// closed at once. Like TestTransportCancelRequest, TestTransportCancelRequestBeforeDo and
// TestCancelRequestWithBody… of net/http.
func TestCanceled(t *testing.T) {
	t.Parallel()
	t.Run("before it is sent", func(t *testing.T) {
		t.Parallel()
		both(t, nil, func(t *testing.T, s sender) {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errGone)
			url := serveRaw(t, respond("HTTP/1.1 204 No Content\r\n\r\n"))
			if _, err := s.RoundTrip(request(t, http.MethodGet, url).WithContext(ctx)); !errors.Is(err, errGone) {
				t.Errorf("%v", err)
			}
		})
	})
	t.Run("while it dials", func(t *testing.T) {
		t.Parallel()
		dialing := func(settings *http.Transport) {
			settings.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, errBroken
			}
		}
		both(t, dialing, func(t *testing.T, s sender) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Millisecond, func() { cancel(errGone) })
			if _, err := s.RoundTrip(request(t, http.MethodGet, "http://upstream.invalid").WithContext(ctx)); !errors.Is(err, errGone) {
				t.Errorf("%v", err)
			}
		})
	})
	t.Run("before the response", func(t *testing.T) {
		t.Parallel()
		both(t, nil, func(t *testing.T, s sender) {
			err, saw := canceled(t, s, "", nil)
			if !errors.Is(err, errGone) || saw == nil {
				t.Errorf("%v; the upstream saw %v", err, saw)
			}
		})
	})
	t.Run("in the body", func(t *testing.T) {
		t.Parallel()
		both(t, nil, func(t *testing.T, s sender) {
			err, saw := canceled(t, s, "HTTP/1.1 200 OK\r\n\r\nthe beginning", func(response *http.Response, cancel context.CancelCauseFunc) error {
				if _, err := response.Body.Read(make([]byte, 1)); err != nil {
					return err
				}
				cancel(errGone)
				_, err := io.Copy(io.Discard, response.Body)
				return err
			})
			if !errors.Is(err, errGone) || saw == nil {
				t.Errorf("%v; the upstream saw %v", err, saw)
			}
		})
	})
	t.Run("closed while it is read", func(t *testing.T) {
		t.Parallel()
		both(t, nil, func(t *testing.T, s sender) {
			err, saw := canceled(t, s, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", func(response *http.Response, _ context.CancelCauseFunc) error {
				go response.Body.Close()
				_, err := io.Copy(io.Discard, response.Body)
				return err
			})
			if err == nil || errors.Is(err, io.EOF) || saw == nil {
				t.Errorf("%v; the upstream saw %v", err, saw)
			}
		})
	})
}

// TestCanceledAfterEnd: the end of a request's context does not close a connection that the
// request has returned to the pool.
func TestCanceledAfterEnd(t *testing.T) {
	t.Parallel()
	both(t, nil, func(t *testing.T, s sender) {
		url := serveRaw(t, respond("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
		ctx, cancel := context.WithCancel(t.Context())
		s.do(t, request(t, http.MethodGet, url).WithContext(ctx))
		cancel()
		if !s.reused(t, request(t, http.MethodGet, url)) {
			t.Error("the connection was closed")
		}
	})
}

// TestHeaderTimeout is like TestTransportResponseHeaderTimeout of net/http.
func TestHeaderTimeout(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{"no response": "", "informational only": "HTTP/1.1 103 Early Hints\r\n\r\n", "half of the headers": "HTTP/1.1 200 OK\r\nX-A"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(settings *http.Transport) { settings.ResponseHeaderTimeout = 20 * time.Millisecond }, func(t *testing.T, s sender) {
				err, saw := canceled(t, s, begin+" ", nil)
				var timeout net.Error
				if !errors.As(err, &timeout) || !timeout.Timeout() || !errors.Is(err, context.DeadlineExceeded) || saw == nil {
					t.Errorf("%v; the upstream saw %v", err, saw)
				}
			})
		})
	}
}

// TestHeaderTimeoutEnds: the timeout does not end a body.
func TestHeaderTimeoutEnds(t *testing.T) {
	t.Parallel()
	both(t, func(settings *http.Transport) { settings.ResponseHeaderTimeout = 50 * time.Millisecond }, func(t *testing.T, s sender) {
		passed := make(chan struct{})
		url := serveRaw(t, func(_ int, conn net.Conn, requests *bufio.Reader) {
			_, _ = http.ReadRequest(requests)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
			<-passed
			_, _ = io.WriteString(conn, "k")
		})
		time.AfterFunc(100*time.Millisecond, func() { close(passed) })
		if _, body := s.get(t, url); body != "ok" {
			t.Errorf("%q", body)
		}
	})
}

// TestDialError: reverse_proxy recognizes failures to connect by their type, and tries another
// upstream only after them.
func TestDialError(t *testing.T) {
	t.Parallel()
	type dialError struct{ error }
	both(t, func(settings *http.Transport) {
		settings.DialContext = func(context.Context, string, string) (net.Conn, error) {
			return nil, dialError{os.ErrPermission}
		}
	}, func(t *testing.T, s sender) {
		_, err := s.RoundTrip(request(t, http.MethodGet, "http://upstream.invalid"))
		if _, ok := err.(dialError); !ok { //nolint:errorlint // reverse_proxy does so
			t.Errorf("%#v", err)
		}
	})
}
