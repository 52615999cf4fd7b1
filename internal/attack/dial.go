package attack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

const (
	// exchangeTimeout bounds one request and its answer. Loopback answers within
	// milliseconds; what has said nothing by then never will.
	exchangeTimeout = 4 * time.Second
	// maxAnswer bounds what is read of an answer's body.
	maxAnswer = 64 << 10 // 64 KiB
)

var (
	// errDial says that the gateway could not be reached at all, which must not
	// pass for a refusal.
	errDial = errors.New("the gateway could not be reached")
	// errNoProtocol says that it does not speak the protocol.
	errNoProtocol = errors.New("the gateway does not speak the protocol")
)

// client sends requests to one gateway.
type client struct {
	host     string // host:port
	secure   bool
	insecure bool
	sessions tls.ClientSessionCache
}

func newClient(t *Target) (*client, error) {
	host, secure, err := t.address()
	if err != nil {
		return nil, err
	}
	const tickets = 8 // one gateway gives a few
	return &client{host: host, secure: secure, insecure: t.Insecure, sessions: tls.NewLRUClientSessionCache(tickets)}, nil
}

// send sends one request over a connection of its own.
func (c *client) send(ctx context.Context, p Protocol, r *Request) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	if p != H1 && !c.secure {
		return nil, fmt.Errorf("%w: %s needs an https URL", errNoProtocol, p)
	}
	switch p {
	case H1:
		return c.sendH1(ctx, r)
	case H2:
		return c.sendH2(ctx, r)
	case H3:
		return c.sendH3(ctx, r)
	}
	return nil, fmt.Errorf("%w: %q", errNoProtocol, p)
}

func (c *client) tls(alpn string) *tls.Config {
	name, _, err := net.SplitHostPort(c.host)
	if err != nil {
		name = c.host
	}
	return &tls.Config{
		ServerName:         name,
		NextProtos:         []string{alpn},
		InsecureSkipVerify: c.insecure, //nolint:gosec // the operator's flag, for certificates of a local CA
		MinVersion:         tls.VersionTLS12,
	}
}

// dial opens a connection that offers one protocol.
func (c *client) dial(ctx context.Context, alpn string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.host)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDial, err)
	}
	deadline, _ := ctx.Deadline() // send set one
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, errors.Join(errDial, err, conn.Close())
	}
	if !c.secure {
		return conn, nil
	}
	secured := tls.Client(conn, c.tls(alpn))
	if err := secured.HandshakeContext(ctx); err != nil {
		why := errDial
		var alert tls.AlertError
		if errors.As(err, &alert) && alert == errNoApplicationProtocol {
			why = errNoProtocol
		}
		return nil, errors.Join(fmt.Errorf("%w: %w", why, err), conn.Close())
	}
	if got := secured.ConnectionState().NegotiatedProtocol; got != alpn && alpn == alpnH2 {
		return nil, errors.Join(fmt.Errorf("%w: it chose %q", errNoProtocol, got), conn.Close())
	}
	return secured, nil
}

const (
	alpnH1 = "http/1.1"
	alpnH2 = "h2"
	alpnH3 = "h3"

	// errNoApplicationProtocol is RFC 7301's.
	errNoApplicationProtocol = tls.AlertError(120)
)
