package transport_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestOwnResponses: every request gets its own response, even if connections and requests are
// aborted. Like TestStressSurpriseServerCloses and TestTransportConcurrency of net/http.
func TestOwnResponses(t *testing.T) {
	t.Parallel()
	const clients, requests = 16, 200
	s := newOwn(t)
	url := serveRaw(t, func(_ int, conn net.Conn, reader *bufio.Reader) {
		for n := 0; ; n++ {
			r, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			path := r.URL.Path
			switch n % 7 {
			case 3:
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(path), path)
			case 5: // with the beginning of an unsolicited response
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%sHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", len(path), path)
			case 6: // and closes
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(path), path)
				return
			default:
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(path), path)
			}
		}
	})
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			for n := range requests {
				path := fmt.Sprintf("/%d/%d", client, n)
				ctx, cancel := context.WithCancel(t.Context())
				if n%11 == 0 {
					time.AfterFunc(time.Duration(n)*time.Microsecond, cancel)
				}
				r := request(t, http.MethodGet, url+path).WithContext(ctx)
				response, err := s.RoundTrip(r)
				if err != nil {
					checkLost(t, err, ctx)
					cancel()
					continue
				}
				if n%13 == 0 {
					_ = response.Body.Close() // unread
				}
				body, err := io.ReadAll(response.Body)
				if err == nil && string(body) != path {
					t.Errorf("the response of %s is %q", path, body)
				}
				_ = response.Body.Close()
				cancel()
			}
		})
	}
	group.Wait()
}

// checkLost accepts the errors of a request that was canceled, or that was being sent when the
// upstream closed the connection.
func checkLost(t *testing.T, err error, ctx context.Context) { //nolint:revive // t comes first
	t.Helper()
	if !errors.Is(err, ctx.Err()) && !errors.Is(err, io.ErrUnexpectedEOF) && !strings.Contains(err.Error(), "reset by peer") {
		t.Error(err)
	}
}

// BenchmarkRoundTrip compares the transports: concurrent small requests to one upstream.
func BenchmarkRoundTrip(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	settings := &http.Transport{MaxIdleConnsPerHost: 512, DialContext: new(net.Dialer).DialContext}
	defer settings.CloseIdleConnections()
	for _, s := range []sender{{settings, "net/http"}, newOwnWith(settings)} {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(32) // connections for each CPU
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://"+listener.Addr().String(), nil)
					if err != nil {
						b.Error(err)
						return
					}
					response, err := s.RoundTrip(r)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, response.Body)
					_ = response.Body.Close()
				}
			})
		})
	}
}
