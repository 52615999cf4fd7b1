package attack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/quic-go/quic-go"
)

func (c *client) quicTLS() *tls.Config {
	config := c.tls(alpnH3)
	config.MinVersion = tls.VersionTLS13
	config.ClientSessionCache = c.sessions
	return config
}

// earlyGrace is how long a gateway gets to act on early data: what it is going
// to do on loopback, it has done by then.
const earlyGrace = 400 * time.Millisecond

// sendEarly sends a request in the early data of a resumed connection and never
// completes the handshake, as somebody does who recorded the packets of another
// client and sends them again (RFC 8446 section 8). There is no answer to read:
// it is encrypted for the client that was recorded.
func (c *client) sendEarly(ctx context.Context, r *Request) (err error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	addr, err := net.ResolveUDPAddr("udp", c.host)
	if err != nil {
		return fmt.Errorf("%w: %w", errDial, err)
	}
	socket, err := net.ListenUDP("udp", nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errDial, err)
	}
	deaf := &deafConn{PacketConn: socket, socket: socket, closed: make(chan struct{})}
	transport := &quic.Transport{Conn: deaf}
	defer func() {
		deaf.hush()
		err = errors.Join(err, transport.Close(), socket.Close())
	}()
	conn, err := transport.DialEarly(ctx, addr, c.quicTLS(), nil)
	if err != nil {
		return fmt.Errorf("%w: no early data: %w", errNotApplicable, err)
	}
	if _, err := requestH3(conn, r, c.host); err != nil {
		return fmt.Errorf("%w: no early data: %w", errNotApplicable, err)
	}
	select {
	case <-ctx.Done():
		return errors.Join(errCut, context.Cause(ctx))
	case <-time.After(earlyGrace):
		return nil
	}
}

// deafConn sends and never hears.
type deafConn struct {
	net.PacketConn // the socket, but for what would let quic-go read past ReadFrom
	socket         *net.UDPConn
	closed         chan struct{}
}

func (d *deafConn) hush() { close(d.closed) }

// ReadFrom waits for the end: no packet ever arrives.
func (d *deafConn) ReadFrom([]byte) (int, net.Addr, error) {
	<-d.closed
	return 0, nil, net.ErrClosed
}

// SetReadDeadline is how quic-go ends a read when it closes.
func (d *deafConn) SetReadDeadline(time.Time) error { return nil }

// SetReadBuffer is the socket's; quic-go complains when it is missing.
func (d *deafConn) SetReadBuffer(n int) error { return d.socket.SetReadBuffer(n) }

// SetWriteBuffer is the socket's.
func (d *deafConn) SetWriteBuffer(n int) error { return d.socket.SetWriteBuffer(n) }
