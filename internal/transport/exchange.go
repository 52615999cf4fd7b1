package transport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/textproto"
	"sync"
	"time"
)

// errNothingSent means that a connection was closed before any byte was sent on it.
var errNothingSent = errors.New("the upstream closed an idle connection")

// errSwitched means that the upstream switched protocols, although no request of this package
// asks for it.
var errSwitched = errors.New("the upstream switched protocols without being asked to")

// defaultMaxHeaderBytes is net/http's limit of response headers.
const defaultMaxHeaderBytes = 10 << 20

// An exchange is one request and its response on a connection.
type exchange struct {
	conn *conn
	pool *pool
	ctx  context.Context //nolint:containedctx // the context of the request, which also ends reads of the body
	stop func() bool     // see [context.AfterFunc]
}

// exchange sends a request and reads the response up to its body.
func (t *Transport) exchange(c *conn, out *outgoing) (*http.Response, error) {
	ctx := out.Context()
	e := exchange{conn: c, pool: &t.idle, ctx: ctx, stop: context.AfterFunc(ctx, c.end)}
	response, err := t.sendAndRead(c, out)
	if err != nil {
		e.end(false)
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
	reuse := !response.Close && response.StatusCode >= http.StatusOK && c.keptAlive(response.Header)
	if out.method == http.MethodHead || response.ContentLength == 0 {
		e.end(reuse)
		return response, nil
	}
	body := &body{exchange: e, framed: response.Body, reuse: reuse}
	response.Body = body
	if out.gzip {
		decompress(response, body)
	}
	return response, nil
}

func (t *Transport) sendAndRead(c *conn, out *outgoing) (*http.Response, error) {
	err := c.send(out)
	out.wrote(err)
	if err != nil {
		return nil, err
	}
	if timeout := t.settings.ResponseHeaderTimeout; timeout > 0 {
		timer := time.AfterFunc(timeout, c.end)
		response, err := t.read(c, out)
		if !timer.Stop() {
			return nil, errHeaderTimeout
		}
		return response, err
	}
	return t.read(c, out)
}

var writers = sync.Pool{New: func() any { return bufio.NewWriter(nil) }}

// send writes a request.
func (c *conn) send(out *outgoing) error {
	w := writers.Get().(*bufio.Writer)
	defer writers.Put(w)
	defer w.Reset(nil)
	w.Reset(c)
	c.sent = 0
	out.write(w)
	err := w.Flush()
	switch {
	case err == nil:
		return nil
	case c.sent == 0 && c.used:
		return fmt.Errorf("%w: %w", errNothingSent, err)
	default:
		return fmt.Errorf("sending the request: %w", err)
	}
}

// read reads the final response, up to its body. Informational responses are passed to the
// caller's trace, which must limit their number; without a trace, their total size is limited.
func (t *Transport) read(c *conn, out *outgoing) (*http.Response, error) {
	limit := t.settings.MaxResponseHeaderBytes
	if limit <= 0 {
		limit = defaultMaxHeaderBytes
	}
	c.limit = limit
	trace := out.trace
	if _, err := c.reader.Peek(1); err == nil && trace.GotFirstResponseByte != nil {
		trace.GotFirstResponseByte()
	}
	for {
		response, err := http.ReadResponse(c.reader, out.Request)
		switch {
		case err != nil && c.limit <= 0:
			return nil, fmt.Errorf("reading the response: its headers exceed %d bytes", limit)
		case err != nil:
			return nil, fmt.Errorf("reading the response: %w", err)
		case response.StatusCode == http.StatusSwitchingProtocols:
			return nil, errSwitched
		case response.StatusCode < http.StatusContinue || response.StatusCode >= http.StatusOK:
			c.limit = math.MaxInt64
			return response, nil
		case trace.Got1xxResponse != nil:
			if err := trace.Got1xxResponse(response.StatusCode, textproto.MIMEHeader(response.Header)); err != nil {
				return nil, err
			}
			c.limit = limit
		}
	}
}

// end ends the exchange. The connection is used again only if the whole response was read and
// the request was not canceled.
func (e *exchange) end(reuse bool) {
	c := e.conn
	if !e.stop() || !reuse || !c.release() {
		c.end()
		return
	}
	e.pool.put(c, time.Now())
}

// errHeaderTimeout is returned when response_header_timeout has passed.
var errHeaderTimeout error = timeoutError("timeout while waiting for the headers of the response")

// timeoutError is a net.Error.
type timeoutError string

func (e timeoutError) Error() string        { return string(e) }
func (e timeoutError) Timeout() bool        { return true }
func (e timeoutError) Temporary() bool      { return true }
func (e timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }
