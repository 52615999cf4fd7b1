package redis_test

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// switchProxy is an address that forwards to one server and, after a switch, to another: a
// failover as a client sees it.
type switchProxy struct {
	addr string

	mu    sync.Mutex
	to    string
	conns map[net.Conn]struct{}
	wait  sync.WaitGroup
}

func newSwitchProxy(t testing.TB, to string) *switchProxy {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	sessiontest.Must(t, err)
	s := &switchProxy{addr: listener.Addr().String(), to: to, conns: map[net.Conn]struct{}{}}
	s.wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.wait.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		sessiontest.Must(t, listener.Close())
		s.failOver("")
		s.wait.Wait()
	})
	return s
}

// redirect sends new connections to another server, like a changed DNS name.
func (s *switchProxy) redirect(to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = to
}

// failOver closes every connection and sends new ones to another server.
func (s *switchProxy) failOver(to string) {
	s.redirect(to)
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_ = conn.Close()
	}
	clear(s.conns)
}

func (s *switchProxy) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	s.mu.Lock()
	to := s.to
	s.conns[conn] = struct{}{}
	s.mu.Unlock()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	s.mu.Lock()
	s.conns[server] = struct{}{}
	s.mu.Unlock()
	s.wait.Go(func() {
		_, _ = io.Copy(server, conn)
		_ = server.Close()
	})
	_, _ = io.Copy(conn, server)
}
