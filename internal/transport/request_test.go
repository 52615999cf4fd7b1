package transport_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// sentBy returns the bytes that a transport sends for a request, with the headers sorted, since
// their order has no meaning.
func sentBy(t *testing.T, s sender, edit func(*http.Request)) string {
	t.Helper()
	sent := make(chan string, 1)
	address := serveRaw(t, func(_ int, conn net.Conn, requests *bufio.Reader) {
		var text strings.Builder
		for {
			line, err := requests.ReadString('\n')
			text.WriteString(line)
			if err != nil || line == "\r\n" {
				break
			}
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		first, headers, _ := strings.Cut(text.String(), "\n")
		lines := strings.SplitAfter(headers, "\n")
		slices.Sort(lines)
		sent <- first + strings.Join(lines, "")
	})
	r := request(t, http.MethodGet, address+"/orders")
	host := r.URL.Host
	delete(r.Header, "Accept-Encoding")
	edit(r)
	s.do(t, r)
	return strings.ReplaceAll(<-sent, host, "upstream")
}

// TestSentAsByNetHTTP: both transports send the same bytes.
func TestSentAsByNetHTTP(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*http.Request){
		"a plain request":       func(*http.Request) {},
		"no method":             func(r *http.Request) { r.Method = "" },
		"HEAD":                  func(r *http.Request) { r.Method = http.MethodHead },
		"POST":                  func(r *http.Request) { r.Method = http.MethodPost },
		"a custom method":       func(r *http.Request) { r.Method = "PROPFIND" },
		"no body":               func(r *http.Request) { r.Body = http.NoBody },
		"a host":                func(r *http.Request) { r.Host = "api.example.com" },
		"a query":               func(r *http.Request) { r.URL.RawQuery = "a=1&b=%2F" },
		"an encoded path":       func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/a/b c", "/a%2Fb%20c" },
		"an opaque URL":         func(r *http.Request) { r.URL.Opaque = "//x/%2F" },
		"no user agent":         func(r *http.Request) { r.Header["User-Agent"] = []string{""} },
		"a user agent":          func(r *http.Request) { r.Header["User-Agent"] = []string{" MicroMessenger "} },
		"an encoding":           func(r *http.Request) { r.Header["Accept-Encoding"] = []string{"br"} },
		"a range":               func(r *http.Request) { r.Header["Range"] = []string{"bytes=0-1"} },
		"headers":               func(r *http.Request) { r.Header["X-B"], r.Header["X-A"] = []string{"1", "2"}, []string{" x\t"} },
		"names not canonical":   func(r *http.Request) { r.Header["sec-WebSocket-key"] = []string{"1"} },
		"a length in a header":  func(r *http.Request) { r.Header["Content-Length"] = []string{"7"} },
		"a coding in a header":  func(r *http.Request) { r.Header["Transfer-Encoding"] = []string{"chunked"} },
		"a trailer in a header": func(r *http.Request) { r.Header["Trailer"] = []string{"X-T"} },
		"a host in a header":    func(r *http.Request) { r.Header["Host"] = []string{"another"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := sentBy(t, sender{newSettings(t), "net/http"}, edit)
			if got := sentBy(t, newOwn(t), edit); got != want {
				t.Errorf("sent %q\nnet/http sends %q", got, want)
			}
		})
	}
}

// TestRefused: a request whose meaning would change on the wire is not sent. Like
// TestInvalidMethodRequestBuilding and TestTransportRejects… of net/http.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		edit func(*http.Request)
		want string
	}{
		"method":           {func(r *http.Request) { r.Method = "GET / HTTP/1.1\r\nX:" }, "invalid method"},
		"name":             {func(r *http.Request) { r.Header["X-A\r\nX-B"] = []string{"1"} }, "invalid header"},
		"empty name":       {func(r *http.Request) { r.Header[""] = []string{"1"} }, "invalid header"},
		"name with spaces": {func(r *http.Request) { r.Header["X A"] = []string{"1"} }, "invalid header"},
		"value":            {func(r *http.Request) { r.Header["X-A"] = []string{"1", "secret\r\nX-B: 1"} }, `"X-A"`},
		"value with a NUL": {func(r *http.Request) { r.Header["X-A"] = []string{"secret\x00"} }, `"X-A"`},
		"URL":              {func(r *http.Request) { r.URL.Opaque = "/a\r\nX: 1" }, "control character"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, nil, func(t *testing.T, s sender) {
				r := request(t, http.MethodGet, serveRaw(t, respond("HTTP/1.1 204 No Content\r\n\r\n")))
				tc.edit(r)
				_, err := s.RoundTrip(r)
				if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") {
					t.Errorf("%v, want an error with %q", err, tc.want)
				}
			})
		})
	}
}

// TestLeftToFallback: requests that need more than one goroutine, or another protocol, are sent
// by net/http.
func TestLeftToFallback(t *testing.T) {
	t.Parallel()
	proxied := func(settings *http.Transport) {
		settings.Proxy = func(*http.Request) (*url.URL, error) { return &url.URL{Scheme: "http", Host: "proxy"}, nil }
	}
	unencrypted := new(http.Protocols)
	unencrypted.SetUnencryptedHTTP2(true)
	for name, tc := range map[string]struct {
		edit     func(*http.Request)
		settings func(*http.Transport)
		own      bool
	}{
		"nothing special":           {own: true},
		"a body":                    {edit: func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("x")) }},
		"Expect":                    {edit: func(r *http.Request) { r.Header["Expect"] = []string{"100-continue"} }},
		"an upgrade":                {edit: func(r *http.Request) { r.Header["Upgrade"] = []string{"websocket"} }},
		"Connection":                {edit: func(r *http.Request) { r.Header["Connection"] = []string{"close"} }},
		"close":                     {edit: func(r *http.Request) { r.Close = true }},
		"CONNECT":                   {edit: func(r *http.Request) { r.Method = http.MethodConnect }},
		"https":                     {edit: func(r *http.Request) { r.URL.Scheme = "https" }},
		"no host":                   {edit: func(r *http.Request) { r.URL.Host = "" }},
		"no URL":                    {edit: func(r *http.Request) { r.URL = nil }},
		"no headers":                {edit: func(r *http.Request) { r.Header = nil }},
		"a Unicode host":            {edit: func(r *http.Request) { r.Host = "例子.example" }},
		"a host's zone":             {edit: func(r *http.Request) { r.Host = "[fe80::1%25en0]:8080" }},
		"an invalid host":           {edit: func(r *http.Request) { r.Host = "a/b" }},
		"trailers":                  {edit: func(r *http.Request) { r.Trailer = http.Header{"X": nil} }},
		"a coding":                  {edit: func(r *http.Request) { r.TransferEncoding = []string{"chunked"} }},
		"a forward proxy":           {settings: proxied},
		"a connection per request":  {settings: func(s *http.Transport) { s.DisableKeepAlives = true }},
		"connection limit":          {settings: func(s *http.Transport) { s.MaxConnsPerHost = 1 }},
		"limit of idle connections": {settings: func(s *http.Transport) { s.MaxIdleConns = 1 }},
		"a read buffer":             {settings: func(s *http.Transport) { s.ReadBufferSize = 8 << 10 }},
		"a write buffer":            {settings: func(s *http.Transport) { s.WriteBufferSize = 8 << 10 }},
		"h2c":                       {settings: func(s *http.Transport) { s.Protocols = unencrypted }},
		"no dialer":                 {settings: func(s *http.Transport) { s.DialContext = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := newSettings(t)
			if tc.settings != nil {
				tc.settings(settings)
			}
			r := request(t, http.MethodGet, serveRaw(t, respond("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")))
			if tc.edit != nil {
				tc.edit(r)
			}
			if _, err := newOwnWith(settings).RoundTrip(r); (err == nil) != tc.own || !tc.own && !errors.Is(err, errLeft) {
				t.Errorf("%v, sent by itself: want %t", err, tc.own)
			}
		})
	}
}

// brokenConn loses its peer before the first byte is sent, or after some bytes.
type brokenConn struct {
	net.Conn
	after int
}

var errBroken = errors.New("broken pipe")

func (c brokenConn) Write(p []byte) (int, error) {
	n, _ := c.Conn.Write(p[:min(c.after, len(p))])
	return n, errBroken
}

// TestRepeated: a request is repeated only if no byte of it was sent, and only if the
// connection was reused: an upstream that is down must not be called in an endless loop.
func TestRepeated(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		used, repeated bool
		after          int
	}{
		"nothing was sent":                      {used: true, repeated: true},
		"one byte was sent":                     {used: true, after: 1},
		"nothing was sent on a new connection":  {},
		"one byte was sent on a new connection": {after: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := newSettings(t)
			dial, broken := settings.DialContext, false
			settings.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dial(ctx, network, address)
				if err == nil && !tc.used {
					conn = brokenConn{conn, tc.after}
				}
				if err == nil && tc.used {
					conn = &breakable{conn.(*net.TCPConn), &broken, tc.after}
				}
				return conn, err
			}
			s := newOwnWith(settings)
			address := serveRaw(t, respond("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
			if tc.used {
				s.get(t, address)
				broken = true
			}
			response, err := s.RoundTrip(request(t, http.MethodGet, address))
			if tc.repeated != (err == nil) || err != nil && !errors.Is(err, errBroken) {
				t.Errorf("%v, repeated: want %t", err, tc.repeated)
			}
			if err == nil {
				_ = response.Body.Close()
			}
		})
	}
}

// breakable is a connection that a test can break, once.
type breakable struct {
	*net.TCPConn
	broken *bool
	after  int
}

func (c *breakable) Write(p []byte) (int, error) {
	if !*c.broken {
		return c.TCPConn.Write(p)
	}
	*c.broken = false
	return brokenConn{c.TCPConn, c.after}.Write(p)
}

// TestSentOnce: if an upstream reads a request and closes the connection, the request is not
// repeated, even if it is a GET: the upstream may have acted on it. net/http repeats it.
func TestSentOnce(t *testing.T) {
	t.Parallel()
	s := newOwn(t)
	requests := make(chan struct{}, 10)
	address := serveRaw(t, func(_ int, conn net.Conn, reader *bufio.Reader) {
		_, _ = http.ReadRequest(reader)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		_, _ = http.ReadRequest(reader)
		requests <- struct{}{}
	})
	s.get(t, address)
	if _, err := s.RoundTrip(request(t, http.MethodGet, address)); !errors.Is(err, io.ErrUnexpectedEOF) && !isReset(err) {
		t.Errorf("%v, want an unexpected end", err)
	}
	if len(requests) != 1 {
		t.Errorf("%d requests arrived", len(requests))
	}
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}
