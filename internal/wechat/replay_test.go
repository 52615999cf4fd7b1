package wechat_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

// closing responds to the first request of each connection, reads the second, and closes the
// connection without a response. A front end does this when its keep-alive time ends, or when
// it crashes during the request.
func closing(t *testing.T, response string, reset bool) (url string, requests *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	requests = new(atomic.Int32)
	done := make(chan struct{})
	t.Cleanup(func() { _ = listener.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serveOneAndClose(conn, response, requests)
			if reset {
				_ = conn.(*net.TCPConn).SetLinger(0)
			}
			_ = conn.Close()
		}
	}()
	return "http://" + listener.Addr().String(), requests
}

func serveOneAndClose(conn net.Conn, response string, requests *atomic.Int32) {
	reader := bufio.NewReader(conn)
	for i := range 2 {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		_, _ = reader.Discard(int(max(request.ContentLength, 0)))
		requests.Add(1)
		if i == 0 {
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(response), response)
		}
	}
}

// A code that was written to a connection is not written to another connection. By default,
// net/http would write it again, and the second response would be "code already used". The
// control, a plain GET, shows that this server causes net/http to do so.
func TestExchangeIsNeverReplayed(t *testing.T) {
	t.Parallel()
	for name, reset := range map[string]bool{"close": false, "reset": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, requests := closing(t, goodLogin, reset)
			client := mustClient(t, wechat.Config{API: url})
			_, err := client.Exchange(t.Context(), "first")
			wantErr(t, err, nil)
			_, err = client.Exchange(t.Context(), code)
			wantErr(t, err, auth.ErrWeChatUnreachable)
			if got := requests.Load(); got != 2 {
				t.Fatalf("the server saw %d requests, want 2", got)
			}
		})
		t.Run(name+", a plain GET", func(t *testing.T) {
			t.Parallel()
			url, requests := closing(t, goodLogin, reset)
			transport := new(http.Transport)
			defer transport.CloseIdleConnections()
			for range 2 {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
				if err != nil {
					t.Fatal(err)
				}
				response, err := transport.RoundTrip(request)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = bufio.NewReader(response.Body).Discard(len(goodLogin))
				_ = response.Body.Close()
			}
			if got := requests.Load(); got != 3 {
				t.Fatalf("the server saw %d requests; net/http used to replay one", got)
			}
		})
	}
}

// TestPhoneCodeIsNeverReplayed: the same for the call that costs money, which is a POST.
func TestPhoneCodeIsNeverReplayed(t *testing.T) {
	t.Parallel()
	url, requests := closing(t, goodToken, false)
	client := mustClient(t, wechat.Config{API: url})
	_, err := client.PhoneNumber(t.Context(), code, openid) // the token, then the phone code
	wantErr(t, err, auth.ErrWeChatUnreachable)
	if got := requests.Load(); got != 2 {
		t.Fatalf("the server saw %d requests, want 2", got)
	}
}

// TestResetIsNeverReplayed: each request makes a new session_key, so a second request would be
// signed with a key that the first request invalidated.
func TestResetIsNeverReplayed(t *testing.T) {
	t.Parallel()
	url, requests := closing(t, goodToken, false)
	client := mustClient(t, wechat.Config{API: url})
	_, err := client.ResetSessionKey(t.Context(), openid, auth.SessionKey{Key: sampleKey})
	wantErr(t, err, auth.ErrWeChatUnreachable)
	if got := requests.Load(); got != 2 {
		t.Fatalf("the server saw %d requests, want 2", got)
	}
}
