package prefetch

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// MaxBytes is the size of the largest response that WeChat stores for a mini program: 256
	// KB.
	MaxBytes = 256 << 10
	// MaxConcurrent is how many prefetches of a site may run at once. Each may need a buffer of
	// MaxBytes, so they use 128 MiB at most.
	MaxConcurrent = 512
	// RetryAfter is the time after which another prefetch can probably run.
	RetryAfter = time.Second
	// Timeout is how long an upstream may take. By then, the mini program has already requested
	// the data itself.
	Timeout = 10 * time.Second
)

// errTooLarge refuses a response that WeChat would not store, or only in part.
var errTooLarge = fmt.Errorf("%w: WeChat keeps at most %d bytes of a prefetch", auth.ErrResponseTooLarge, MaxBytes)

// Response buffers a response until it is complete, so that it can still be refused: if it is
// too large, or if its session ended in the meantime. It can neither be flushed nor upgraded.
type Response struct {
	header http.Header
	status int // 0 until it is written
	body   bytes.Buffer
	large  bool
	cancel context.CancelCauseFunc
}

// NewResponse returns an empty response, and the request to serve with it. The caller must call
// end when the handler has returned.
func NewResponse(r *http.Request) (w *Response, limited *http.Request, end func()) {
	ctx, stop := context.WithTimeout(r.Context(), Timeout)
	ctx, cancel := context.WithCancelCause(ctx)
	w = &Response{header: make(http.Header), cancel: cancel}
	return w, r.WithContext(ctx), func() { cancel(nil); stop() }
}

// Serve calls a handler to write the response. It returns the handler's error, or an
// [auth.ErrResponseTooLarge].
func (w *Response) Serve(handler func(http.ResponseWriter) error) (err error) {
	defer func() {
		if !w.large {
			return // and a panic continues
		}
		// The handler may abort the response with a panic, since its writes fail.
		switch v := recover(); v {
		case nil, http.ErrAbortHandler:
			err = errTooLarge
		default:
			panic(v) //nolint:forbidigo // it is another panic
		}
	}()
	return handler(w)
}

// Send writes the whole response. It must not be cached: its URL no longer has the credential
// that distinguishes users.
func (w *Response) Send(to http.ResponseWriter) error {
	header := to.Header()
	maps.Copy(header, w.header)
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(w.body.Len()))
	header.Del("Trailer")
	to.WriteHeader(max(w.status, http.StatusOK))
	_, err := to.Write(w.body.Bytes())
	return err
}

// Header implements [http.ResponseWriter].
func (w *Response) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *Response) WriteHeader(status int) {
	if w.status != 0 || status < http.StatusOK {
		return
	}
	w.status = status
	if length, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil && length > MaxBytes {
		w.refuse()
	}
}

// Write implements [http.ResponseWriter].
func (w *Response) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if len(b) > MaxBytes-w.body.Len() {
		w.refuse()
	}
	if w.large {
		return 0, errTooLarge
	}
	return w.body.Write(b)
}

// refuse ends the call of the upstream, which might never stop sending.
func (w *Response) refuse() {
	w.large = true
	w.cancel(errTooLarge)
}
