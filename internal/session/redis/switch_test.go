package redis_test

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// turnout is an address behind which one server stands and, after a turn, another:
// a failover as a client sees it.
type turnout struct {
	addr string

	mu    sync.Mutex
	to    string
	conns map[net.Conn]struct{}
	wait  sync.WaitGroup
}

func newSwitch(t testing.TB, to string) *turnout {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	sessiontest.Must(t, err)
	s := &turnout{addr: listener.Addr().String(), to: to, conns: map[net.Conn]struct{}{}}
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
		s.turn("")
		s.wait.Wait()
	})
	return s
}

// lead leads new connections elsewhere, as a name does that is changed.
func (s *turnout) lead(to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = to
}

// turn cuts every connection and leads new ones elsewhere.
func (s *turnout) turn(to string) {
	s.lead(to)
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_ = conn.Close()
	}
	clear(s.conns)
}

func (s *turnout) serve(conn net.Conn) {
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
