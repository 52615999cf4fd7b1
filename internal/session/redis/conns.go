package redis

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// masterConns are the connections to the master, known until they are closed, to
// hang up on it when it is no longer that: Redis itself leaves them open. The next
// ones go to where the Sentinels, or the name in the address, lead by then.
type masterConns struct {
	mu   sync.Mutex
	open map[*masterConn]struct{}
}

type masterConn struct {
	net.Conn
	owner *masterConns
	addr  string
}

// dial is rueidis's DialCtxFn.
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

// hangUp closes every connection but those to one address, and reports whether
// there was one.
func (m *masterConns) hangUp(but string) bool {
	m.mu.Lock()
	var old []*masterConn
	for conn := range m.open {
		if conn.addr != but {
			old = append(old, conn)
		}
	}
	m.mu.Unlock()
	for _, conn := range old {
		_ = conn.Close() // what it was closed for is what matters
	}
	return len(old) > 0
}
