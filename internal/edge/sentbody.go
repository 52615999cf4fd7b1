package edge

import (
	"io"
	"net/http"
	"sync"
)

// sentBody is a request's body on its way to the upstream. When a request is
// canceled, its transport closes the body while another goroutine reads it.
// reverse_proxy's own body (bodyNopCloserIfNotRead, since
// https://github.com/caddyserver/caddy/pull/7719) counts what was read without a lock, and
// its Close reads the count: a data race. Here, if a Read is running, it closes the body when
// it returns.
type sentBody struct {
	inner io.ReadCloser

	mu      sync.Mutex
	reading bool
	closed  bool
}

// NewSentBody returns a body whose Close may be called while it is read.
func NewSentBody(body io.ReadCloser) io.ReadCloser { return &sentBody{inner: body} }

// Read implements [io.Reader]. One goroutine reads at a time.
func (b *sentBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	}
	b.reading = true
	b.mu.Unlock()

	n, err := b.inner.Read(p)

	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	if b.closed {
		_ = b.inner.Close() // Close has returned
	}
	return n, err
}

// Close implements [io.Closer]. It does not wait for a client that sends nothing.
func (b *sentBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	if b.reading {
		return nil
	}
	return b.inner.Close()
}
