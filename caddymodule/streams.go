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
var errStreamEnded = errors.New("the token expired or its session was revoked, or nobody can say")

// staleStep is how much too stale the revocations must be before a stream ends:
// enough for the clock to have moved on when the timer fires.
const staleStep = 50 * time.Millisecond

// watched calls next, and ends what it serves when the identity ends, if that
// is a stream: a WebSocket or a text/event-stream answer. Without this, a stream
// that was opened a second before its session was revoked would go on for days.
// Any other answer is let finish. [Transport] learns whose request it is.
func (h *Handler) watched(gate *gate, id *auth.Identity, w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	sw := &streamWriter{
		ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		upgrade:               r.Header["Upgrade"] != nil || r.Method == http.MethodConnect,
		gate:                  gate,
		id:                    id,
		cancel:                cancel,
		done:                  ctx.Done(),
		allowance:             h.allowance,
	}
	defer sw.release()
	return next.ServeHTTP(sw, r.WithContext(h.withIdentity(ctx, id)))
}

// streamWriter notices that an answer is a stream.
type streamWriter struct {
	*caddyhttp.ResponseWriterWrapper

	upgrade bool
	gate    *gate
	id      *auth.Identity
	cancel  context.CancelCauseFunc
	done    <-chan struct{}

	allowance time.Duration // how stale the revocations may be

	armed bool
	stop  func()      // ends the watch for revocations
	timer *time.Timer // fires when the token expires
	stale *time.Timer // fires when the revocations may have become too stale; nil where they never do
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
	if w.gate.stale != nil {
		w.watchStaleness(end)
	}
	metrics.streams.Inc()
}

// watchStaleness ends the stream when a revocation may have been missed for
// longer than is allowed. It looks again when that could next be so.
func (w *streamWriter) watchStaleness(end func()) {
	ready := make(chan struct{}) // the timer may fire before it is kept
	w.stale = time.AfterFunc(w.allowance, func() {
		<-ready
		select {
		case <-w.done:
			return
		default:
		}
		left := w.allowance - w.gate.stale()
		if left < 0 {
			end()
			return
		}
		w.stale.Reset(left + staleStep)
	})
	close(ready)
}

func (w *streamWriter) release() {
	if !w.armed {
		return
	}
	w.timer.Stop()
	if w.stale != nil {
		w.stale.Stop()
	}
	w.stop()
	metrics.streams.Dec()
}
