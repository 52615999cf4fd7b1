package transport

import (
	"context"
	"errors"
	"io"
	"sync"
)

// errBodyClosed is the error of Read after Close.
var errBodyClosed = errors.New("read on closed response body")

// body is a response body that returns the connection to the pool at its end.
type body struct {
	exchange exchange
	framed   io.Reader // detects the end of the body
	reuse    bool      // the connection may be used again

	mu  sync.Mutex
	err error // how the body ended
}

// Read reads from the body.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	err := b.err
	b.mu.Unlock()
	if err != nil {
		return 0, err
	}
	n, err := b.framed.Read(p)
	if err != nil {
		err = b.end(err)
	}
	return n, err
}

// Close closes the connection unless the whole body was read: reading the rest might never end.
func (b *body) Close() error {
	_ = b.end(errBodyClosed)
	return nil
}

// end ends the exchange, once: Close may be called during a Read.
func (b *body) end(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	if cause := context.Cause(b.exchange.ctx); cause != nil && !errors.Is(err, io.EOF) {
		err = cause
	}
	b.err = err
	b.exchange.end(err == io.EOF && b.reuse) //nolint:errorlint // a wrapped io.EOF is not the end of the body
	return err
}
