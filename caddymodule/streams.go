package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/internal/auth"
)

// errStreamEnded is why a stream's context is cancelled.
var errStreamEnded = errors.New("the token expired or its session was revoked")

// watched calls next, and ends what it serves when the identity ends, if that
// is a stream: a WebSocket or a text/event-stream answer. Without this, a stream
// that was opened a second before its session was revoked would go on for days.
// Any other answer is let finish.
func (h *Handler) watched(gate *gate, id *auth.Identity, w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	sw := &streamWriter{
		ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		upgrade:               r.Header["Upgrade"] != nil || r.Method == http.MethodConnect,
		gate:                  gate,
		id:                    id,
		cancel:                cancel,
	}
	defer sw.release()
	return next.ServeHTTP(sw, r.WithContext(ctx))
}

// streamWriter notices that an answer is a stream.
type streamWriter struct {
	*caddyhttp.ResponseWriterWrapper

	upgrade bool
	gate    *gate
	id      *auth.Identity
	cancel  context.CancelCauseFunc

	armed bool
	stop  func()      // ends the watch for revocations
	timer *time.Timer // fires when the token expires
}

// WriteHeader arms the watch when the answer that it announces is a stream.
func (w *streamWriter) WriteHeader(status int) {
	if w.isStream(status) {
		w.arm()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *streamWriter) isStream(status int) bool {
	if status == http.StatusSwitchingProtocols {
		return true
	}
	if status < http.StatusOK || status >= http.StatusMultipleChoices {
		return false
	}
	return w.upgrade || strings.HasPrefix(strings.ToLower(w.Header().Get("Content-Type")), "text/event-stream")
}

// arm is called by the handler's goroutine only.
func (w *streamWriter) arm() {
	if w.armed {
		return
	}
	w.armed = true
	end := func() { w.cancel(errStreamEnded) }
	w.timer = time.AfterFunc(time.Until(w.id.Expires), end)
	w.stop = w.gate.revocations.Watch(w.id, end)
	metrics.streams.Inc()
}

func (w *streamWriter) release() {
	if !w.armed {
		return
	}
	w.timer.Stop()
	w.stop()
	metrics.streams.Dec()
}
