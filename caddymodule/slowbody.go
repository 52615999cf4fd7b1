package caddymodule

import (
	"io"
	"net/http"
	"time"
)

// openAPIIdleTime is how long a caller on this machine may take to send more of its
// body: one that announces a body and sends none must not hold a connection to
// WeChat, or 64 of them stop every call.
const openAPIIdleTime = 10 * time.Second

// steadyBody is a body whose sender has to make progress.
type steadyBody struct {
	io.ReadCloser

	control *http.ResponseController
	ends    time.Time // of the whole call
}

// newSteadyBody limits the waits between the parts of a request's body.
func newSteadyBody(w http.ResponseWriter, r *http.Request) io.ReadCloser {
	return &steadyBody{r.Body, http.NewResponseController(w), time.Now().Add(openAPIBodyTime)}
}

// Read implements [io.Reader]. Best effort: not every transport has deadlines.
func (b *steadyBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(openAPIIdleTime))
	n, err := b.ReadCloser.Read(p)
	// A deadline that passes while WeChat responds would look like a caller who left.
	_ = b.control.SetReadDeadline(b.ends)
	return n, err
}
