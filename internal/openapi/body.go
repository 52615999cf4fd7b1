package openapi

import (
	"io"
	"net/http"
	"time"
)

const (
	// idleTime is how long a caller may take to send more of its body: one that announces
	// a body and sends none must not hold a connection to WeChat. 64 of them would stop
	// every call.
	idleTime = 10 * time.Second
	// bodyTime is how long a caller may take to send its body: a little longer than the
	// whole call, so that the call's own deadline ends first. A read deadline that passes
	// while WeChat responds would look like a caller who left.
	bodyTime = 65 * time.Second
)

// steadyBody is a body whose sender must make progress.
type steadyBody struct {
	io.ReadCloser

	control *http.ResponseController
	ends    time.Time // of the whole call
}

// NewBody returns the request's body with a limit on how long each read may wait.
func NewBody(w http.ResponseWriter, r *http.Request) io.ReadCloser {
	return &steadyBody{r.Body, http.NewResponseController(w), time.Now().Add(bodyTime)}
}

// Read implements [io.Reader]. A connection without deadlines has no limit.
func (b *steadyBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(idleTime))
	n, err := b.ReadCloser.Read(p)
	// A deadline that passes while WeChat responds would look like a caller who left.
	_ = b.control.SetReadDeadline(b.ends)
	return n, err
}
