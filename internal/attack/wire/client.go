package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

const (
	// exchangeTimeout bounds one request and its response, which takes milliseconds on
	// loopback.
	exchangeTimeout = 4 * time.Second
	// maxResponse bounds how much of a response body is read.
	maxResponse = 64 << 10 // 64 KiB
)

var (
	// ErrDial means that the gateway could not be reached, which must not count as a refusal.
	ErrDial = errors.New("the gateway could not be reached")
	// ErrNoProtocol means that the gateway does not support the protocol.
	ErrNoProtocol = errors.New("the gateway does not support the protocol")
	// ErrNoEarlyData means that the gateway does not accept early data.
	ErrNoEarlyData = errors.New("no early data")
	// ErrCut means that the run ended before the request did.
	ErrCut = errors.New("the run was cut short")
)

// Client sends requests to one gateway.
type Client struct {
	Host     string // host:port
	secure   bool
	insecure bool
	sessions tls.ClientSessionCache
}

// NewClient returns a client of the gateway at host, a host and port. secure is for
// TLS, insecure for certificates that are not verified.
func NewClient(host string, secure, insecure bool) *Client {
	const tickets = 8 // one gateway sends a few
	return &Client{Host: host, secure: secure, insecure: insecure, sessions: tls.NewLRUClientSessionCache(tickets)}
}

// Send sends one request over a new connection.
func (c *Client) Send(ctx context.Context, p Protocol, r *Request) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	if p != H1 && !c.secure {
		return nil, fmt.Errorf("%w: %s needs an https URL", ErrNoProtocol, p)
	}
	switch p {
	case H1:
		return c.sendH1(ctx, r)
	case H2:
		return c.sendH2(ctx, r)
	case H3:
		return c.sendH3(ctx, r)
	}
	return nil, fmt.Errorf("%w: %q", ErrNoProtocol, p)
}

func (c *Client) tls(alpn string) *tls.Config {
	name, _, err := net.SplitHostPort(c.Host)
	if err != nil {
		name = c.Host
	}
	return &tls.Config{
		ServerName:         name,
		NextProtos:         []string{alpn},
		InsecureSkipVerify: c.insecure, //nolint:gosec // the operator's flag, for certificates of a local CA
		MinVersion:         tls.VersionTLS12,
	}
}

// dial opens a connection and offers one protocol.
func (c *Client) dial(ctx context.Context, alpn string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.Host)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDial, err)
	}
	deadline, _ := ctx.Deadline() // Send set it
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, errors.Join(ErrDial, err, conn.Close())
	}
	if !c.secure {
		return conn, nil
	}
	secured := tls.Client(conn, c.tls(alpn))
	if err := secured.HandshakeContext(ctx); err != nil {
		why := ErrDial
		var alert tls.AlertError
		if errors.As(err, &alert) && alert == errNoApplicationProtocol {
			why = ErrNoProtocol
		}
		return nil, errors.Join(fmt.Errorf("%w: %w", why, err), conn.Close())
	}
	if got := secured.ConnectionState().NegotiatedProtocol; got != alpn && alpn == alpnH2 {
		return nil, errors.Join(fmt.Errorf("%w: it chose %q", ErrNoProtocol, got), conn.Close())
	}
	return secured, nil
}

const (
	alpnH1 = "http/1.1"
	alpnH2 = "h2"
	alpnH3 = "h3"

	// errNoApplicationProtocol is the alert of RFC 7301.
	errNoApplicationProtocol = tls.AlertError(120)
)
