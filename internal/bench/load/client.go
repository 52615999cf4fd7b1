package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// client is one connection, which is opened when it is needed.
type client struct {
	address string
	conn    net.Conn
	in      *bufio.Reader
	detach  func() bool // from the context of the connection
	request []byte
	body    bytes.Buffer
}

// do sends one request, and reads and checks the response.
func (c *client) do(ctx context.Context, caller Caller) error {
	if err := c.open(ctx); err != nil {
		return err
	}
	var err error
	if c.request, err = caller.Append(c.request[:0]); err != nil {
		return err
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return c.failure(ctx, "sending a request", err)
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return c.failure(ctx, "reading a response", err)
	}
	c.body.Reset()
	_, err = c.body.ReadFrom(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return c.failure(ctx, "reading a response", err)
	}
	if response.Close {
		c.close()
	}
	return caller.Check(response.StatusCode, c.body.Bytes())
}

func (c *client) open(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	c.conn = conn
	c.detach = context.AfterFunc(ctx, func() { _ = conn.Close() })
	if c.in == nil {
		c.in = bufio.NewReader(conn)
	}
	c.in.Reset(conn)
	return nil
}

func (c *client) close() {
	if c.conn == nil {
		return
	}
	c.detach()
	_ = c.conn.Close() // no request is running
	c.conn = nil
}

// failure explains an error of the connection, which the end of ctx closes.
func (c *client) failure(ctx context.Context, doing string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// onceTimeout is how long one request may take.
const onceTimeout = 10 * time.Second

// Once sends one request.
func Once(ctx context.Context, address string, caller Caller) error {
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	c := &client{address: address}
	defer c.close()
	return c.do(ctx, caller)
}
