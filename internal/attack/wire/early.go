package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/quic-go/quic-go"
)

func (c *Client) quicTLS() *tls.Config {
	config := c.tls(alpnH3)
	config.MinVersion = tls.VersionTLS13
	config.ClientSessionCache = c.sessions
	return config
}

// earlyGrace is how long the client waits until the gateway has acted on early data,
// which takes less time on loopback.
const earlyGrace = 400 * time.Millisecond

// SendEarly sends a request in the early data of a resumed connection and never
// completes the handshake, like an attacker who recorded the packets of another client
// and sends them again (RFC 8446 section 8). It reads no response, which is encrypted for
// the recorded client.
func (c *Client) SendEarly(ctx context.Context, r *Request) (err error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	addr, err := net.ResolveUDPAddr("udp", c.Host)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDial, err)
	}
	socket, err := net.ListenUDP("udp", nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDial, err)
	}
	deaf := &deafConn{PacketConn: socket, socket: socket, closed: make(chan struct{})}
	transport := &quic.Transport{Conn: deaf}
	defer func() {
		deaf.hush()
		err = errors.Join(err, transport.Close(), socket.Close())
	}()
	conn, err := transport.DialEarly(ctx, addr, c.quicTLS(), nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoEarlyData, err)
	}
	if _, err := requestH3(conn, r, c.Host); err != nil {
		return fmt.Errorf("%w: %w", ErrNoEarlyData, err)
	}
	select {
	case <-ctx.Done():
		return errors.Join(ErrCut, context.Cause(ctx))
	case <-time.After(earlyGrace):
		return nil
	}
}

// deafConn sends packets, but does not receive any.
type deafConn struct {
	net.PacketConn // without the methods that let quic-go read other than by ReadFrom
	socket         *net.UDPConn
	closed         chan struct{}
}

func (d *deafConn) hush() { close(d.closed) }

// ReadFrom returns when the connection is closed: no packet arrives.
func (d *deafConn) ReadFrom([]byte) (int, net.Addr, error) {
	<-d.closed
	return 0, nil, net.ErrClosed
}

// SetReadDeadline is called by quic-go to end a read when it closes.
func (d *deafConn) SetReadDeadline(time.Time) error { return nil }

// SetReadBuffer sets the socket's buffer; without the method quic-go logs a warning.
func (d *deafConn) SetReadBuffer(n int) error { return d.socket.SetReadBuffer(n) }

// SetWriteBuffer sets the socket's buffer.
func (d *deafConn) SetWriteBuffer(n int) error { return d.socket.SetWriteBuffer(n) }
