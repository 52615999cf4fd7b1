package simproxy

import (
	"bufio"
	"context"
	"net"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/serving"
)

// tlsHandshake is the first byte of a TLS connection; no HTTP request begins with it.
const tlsHandshake = 0x16

// A queue is a listener whose connections come from a sorter.
type queue struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	addr  net.Addr
}

func newQueue(addr net.Addr) *queue {
	return &queue{conns: make(chan net.Conn), done: make(chan struct{}), addr: addr}
}

// Accept implements [net.Listener].
func (q *queue) Accept() (net.Conn, error) {
	select {
	case conn := <-q.conns:
		return conn, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (q *queue) Close() error {
	q.once.Do(func() { close(q.done) })
	return nil
}

// Addr implements [net.Listener].
func (q *queue) Addr() net.Addr { return q.addr }

// put gives a connection to the server of the queue, or closes it.
func (q *queue) put(conn net.Conn) {
	select {
	case q.conns <- conn:
	case <-q.done:
		_ = conn.Close()
	}
}

// A sorter separates connections with TLS from those without, by their first byte.
type sorter struct {
	plain, secure *queue
	sorting       sync.WaitGroup
}

// sort puts a connection into the queue that it belongs to, in a goroutine that ends with ctx.
// read has what was read of it already.
func (s *sorter) sort(ctx context.Context, conn net.Conn, read *bufio.Reader) {
	s.sorting.Go(func() {
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		defer stop()
		_ = conn.SetReadDeadline(time.Now().Add(serving.HeaderTimeout))
		first, err := read.Peek(1)
		if err != nil || conn.SetReadDeadline(time.Time{}) != nil {
			_ = conn.Close()
			return
		}
		if first[0] == tlsHandshake {
			s.secure.put(&readConn{Conn: conn, read: read})
			return
		}
		s.plain.put(&readConn{Conn: conn, read: read})
	})
}

// A readConn is a connection of which a reader has read ahead.
type readConn struct {
	net.Conn
	read *bufio.Reader
}

// Read implements [net.Conn].
func (c *readConn) Read(p []byte) (int, error) { return c.read.Read(p) }

// SetLinger is that of TCP: the fault "reset" resets the connection.
func (c *readConn) SetLinger(seconds int) error {
	if tcp, ok := c.Conn.(interface{ SetLinger(int) error }); ok {
		return tcp.SetLinger(seconds)
	}
	return nil
}
