package transport_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A sender is one of the two transports that every test of behavior runs against.
type sender struct {
	http.RoundTripper
	name string
}

// both runs a test against net/http's transport and this one, with the same settings. A request
// that this transport passes to its fallback fails: otherwise the test would test net/http
// twice.
func both(t *testing.T, edit func(*http.Transport), test func(*testing.T, sender)) {
	t.Helper()
	for _, name := range []string{"net/http", "wxgate"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := newSettings(t)
			if edit != nil {
				edit(settings)
			}
			if name == "net/http" {
				test(t, sender{settings, name})
				return
			}
			test(t, newOwnWith(settings))
		})
	}
}

// newOwn returns the transport of this package without a working fallback.
func newOwn(t *testing.T) sender {
	t.Helper()
	return newOwnWith(newSettings(t))
}

func newOwnWith(settings *http.Transport) sender {
	return sender{transport.New(settings, refusal{}), "wxgate"}
}

// newSettings returns the settings of Caddy, with a dialer whose connections are closed at the
// end of the test.
func newSettings(t *testing.T) *http.Transport {
	t.Helper()
	var mu sync.Mutex
	var conns []net.Conn
	settings := &http.Transport{MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute, Proxy: http.ProxyFromEnvironment}
	dialer := new(net.Dialer)
	settings.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err == nil {
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
		}
		return conn, err
	}
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range conns {
			_ = conn.Close()
		}
		settings.CloseIdleConnections()
	})
	return settings
}

var errLeft = errors.New("left to the fallback")

// refusal is a fallback that refuses all requests.
type refusal struct{}

func (refusal) RoundTrip(*http.Request) (*http.Response, error) { return nil, errLeft }

// serveRaw starts an upstream that can write any bytes. It calls handle for each connection,
// numbered from 0, and then closes the connection.
func serveRaw(t *testing.T, handle func(n int, conn net.Conn, requests *bufio.Reader)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	group.Go(func() {
		for n := 0; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			group.Go(func() {
				defer conn.Close()
				handle(n, conn, bufio.NewReader(conn))
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		group.Wait()
	})
	return "http://" + listener.Addr().String()
}

// respond reads requests and writes the same response to each.
func respond(response string) func(int, net.Conn, *bufio.Reader) {
	return func(_ int, conn net.Conn, requests *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(requests); err != nil {
				return
			}
			if _, err := io.WriteString(conn, response); err != nil {
				return
			}
		}
	}
}

func request(t *testing.T, method, url string, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Accept-Encoding"] = []string{"identity"}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header[header[i]] = append(r.Header[header[i]], header[i+1])
	}
	return r
}

// get sends a GET and reads the whole response.
func (s sender) get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	return s.do(t, request(t, http.MethodGet, url))
}

func (s sender) do(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	response, err := s.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}
