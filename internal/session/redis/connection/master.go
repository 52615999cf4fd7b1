package connection

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// masterConns are the open connections to the master. When that server is no longer the
// master, they are closed, which Redis itself does not do. New connections go to the address
// that the Sentinels return, or to the current address of the configured host name.
type masterConns struct {
	mu   sync.Mutex
	open map[*masterConn]struct{}
}

type masterConn struct {
	net.Conn
	owner *masterConns
	addr  string
}

// dial is the DialCtxFn of rueidis.
func (m *masterConns) dial(ctx context.Context, addr string, dialer *net.Dialer, tlsConfig *tls.Config) (net.Conn, error) {
	var conn net.Conn
	var err error
	if tlsConfig != nil {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: tlsConfig}).DialContext(ctx, "tcp", addr)
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, err
	}
	tracked := &masterConn{Conn: conn, owner: m, addr: addr}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open == nil {
		m.open = make(map[*masterConn]struct{})
	}
	m.open[tracked] = struct{}{}
	return tracked, nil
}

// Close implements [net.Conn].
func (c *masterConn) Close() error {
	c.owner.mu.Lock()
	delete(c.owner.open, c)
	c.owner.mu.Unlock()
	return c.Conn.Close()
}

// closeAllBut closes every connection to another address, and reports whether there was any.
func (m *masterConns) closeAllBut(addr string) bool {
	m.mu.Lock()
	var old []*masterConn
	for conn := range m.open {
		if conn.addr != addr {
			old = append(old, conn)
		}
	}
	m.mu.Unlock()
	for _, conn := range old {
		_ = conn.Close() // closing it is what matters
	}
	return len(old) > 0
}
