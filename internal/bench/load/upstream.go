package load

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
)

const (
	// openIDHeader is the header that the gateway sets, see docs/caddyfile.md.
	openIDHeader = "X-Wx-Openid"
	// Greeting begins the body of every response of the upstream. The openid that the
	// upstream received follows.
	Greeting = "wxgate bench upstream; openid="
)

// ServeUpstream responds to every request with [Greeting] and the openid in its header,
// until ctx is done. It closes listener.
func ServeUpstream(ctx context.Context, listener net.Listener) error {
	var open sync.WaitGroup
	defer open.Wait()
	detach := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer detach()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return errors.Join(fmt.Errorf("accepting a connection: %w", err), listener.Close())
		}
		open.Go(func() { serveConn(ctx, conn) })
	}
}

// serveConn serves one connection until the other side closes it.
func serveConn(ctx context.Context, conn net.Conn) {
	detach := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer detach()
	defer func() { _ = conn.Close() }() // no request is running
	in := bufio.NewReader(conn)
	var out []byte
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return // closed
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		openid := strings.Join(r.Header[openIDHeader], ",")
		out = fmt.Appendf(out[:0], "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s%s",
			len(Greeting)+len(openid), Greeting, openid)
		if _, err := conn.Write(out); err != nil || r.Close {
			return
		}
	}
}

// RunUpstream is [ServeUpstream] at an address, as a process: it also ends when its standard
// input does, so that it never outlives the process that started it.
func RunUpstream(ctx context.Context, address string, stdin io.Reader) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("starting the upstream: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, stdin) // ends with the other process
		cancel()
	}()
	return ServeUpstream(ctx, listener)
}
