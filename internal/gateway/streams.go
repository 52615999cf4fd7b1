package gateway

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// errStreamEnded is why the context of a response is canceled.
var errStreamEnded = errors.New("stream closed: token expired, session revoked, or revocation state unknown")

const (
	// watchAfter is how long a request may take before its response is watched. Most
	// requests are over by then and need no entry in the registry, which has a lock.
	watchAfter = time.Second

	// staleStep is how much too stale the revocations must be before a response ends:
	// enough for the clock to have moved on when the timer fires.
	staleStep = 50 * time.Millisecond
)

// watched calls next, and ends the response that it serves when the identity ends.
// Without this, a response that was opened a second before its session was revoked
// could go on for days, whatever its content type: an attacker with a stolen token
// would keep reading.
//
// A WebSocket and a text/event-stream response end at once. Any other response may
// go on for stream_grace after a revocation, and for one more access-token life
// after its token expired, so that an upload which began just before is not cut.
func (g *Gateway) watched(d decision, w http.ResponseWriter, r *http.Request, next Next) error {
	rw := &watchedWriter{
		responseWriter: responseWriter{w},
		connect:        r.Method == http.MethodConnect,
		upgrade:        r.Header["Upgrade"] != nil,
		gateway:        g,
		runtime:        d.runtime,
		id:             d.id,
		ctx:            watchedContext{parent: r.Context(), redactor: g.Edge.Redactor(d.id)},
	}
	rw.ctx.writer = rw
	if r.ContentLength != 0 {
		rw.watchSoon() // an upload takes as long as its client likes
	}
	defer rw.release()
	err := next.ServeHTTP(rw, r.WithContext(&rw.ctx))
	if !rw.release() || rw.tunnel {
		return err
	}
	if rw.started {
		// The client must not take what it got for the whole response.
		panic(http.ErrAbortHandler) //nolint:forbidigo // the way of net/http to break a response off
	}
	return g.refuse(w, r, d.id, g.whyEnded(d))
}

// whyEnded is the refusal of a request whose session ended before the response
// started.
func (g *Gateway) whyEnded(d decision) error {
	if d.runtime.Revocations.Revoked(d.id) {
		if d.runtime.Revocations.Replaced(d.id.Session) {
			return auth.ErrSessionReplaced
		}
		return auth.ErrSessionRevoked
	}
	if err := g.fresh(d.runtime); err != nil {
		return err
	}
	return auth.ErrTokenExpired
}

// responseWriter is the base of writers that change or watch a response. It keeps what
// the server's writer can do beside that.
type responseWriter struct {
	http.ResponseWriter
}

// Unwrap is for [http.ResponseController].
func (w responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ReadFrom keeps sendfile for files.
func (w responseWriter) ReadFrom(r io.Reader) (int64, error) {
	if from, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		return from.ReadFrom(r)
	}
	return io.Copy(w.ResponseWriter, r)
}

// Push implements [http.Pusher].
func (w responseWriter) Push(target string, options *http.PushOptions) error {
	if pusher, ok := w.ResponseWriter.(http.Pusher); ok {
		return pusher.Push(target, options)
	}
	return http.ErrNotSupported
}

// watchedWriter is a response that ends with its session.
type watchedWriter struct {
	responseWriter

	connect bool // the request is a CONNECT
	upgrade bool // the request has an Upgrade header
	gateway *Gateway
	runtime *Runtime
	id      *auth.Identity
	ctx     watchedContext

	mu       sync.Mutex
	later    *time.Timer // begins the watch of a response that takes long; nil until something waits
	started  bool        // the status was sent
	stream   bool        // a WebSocket or text/event-stream
	tunnel   bool        // the connection is not ours any more
	cut      bool        // the session ended
	released bool        // the handler has returned
	unwatch  func()      // nil unless watched
}

// WriteHeader watches the response from now on if it is a stream.
func (w *watchedWriter) WriteHeader(status int) {
	w.start(status)
	w.ResponseWriter.WriteHeader(status)
}

// Write sends the status first, as any ResponseWriter does.
func (w *watchedWriter) Write(b []byte) (int, error) {
	w.start(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// ReadFrom keeps sendfile for files.
func (w *watchedWriter) ReadFrom(r io.Reader) (int64, error) {
	w.start(http.StatusOK)
	return w.responseWriter.ReadFrom(r)
}

// FlushError is what [http.ResponseController] flushes with. It sends the status.
func (w *watchedWriter) FlushError() error {
	w.start(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// start notes that the response begins with this status.
func (w *watchedWriter) start(status int) {
	if status < http.StatusOK && status != http.StatusSwitchingProtocols {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.started {
		return
	}
	w.started = true
	w.tunnel = status == http.StatusSwitchingProtocols || w.connect
	if w.cut {
		w.interrupt()
		return
	}
	if w.isStream(status) {
		w.stream = true
		w.watch()
		return
	}
	w.startTimer()
}

func (w *watchedWriter) isStream(status int) bool {
	if status == http.StatusSwitchingProtocols {
		return true
	}
	if status >= http.StatusMultipleChoices {
		return false
	}
	return w.upgrade || w.connect || strings.HasPrefix(strings.ToLower(w.Header().Get("Content-Type")), "text/event-stream")
}

// watchSoon has the response watched if it takes long.
func (w *watchedWriter) watchSoon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.startTimer()
}

// startTimer is called with the lock held.
func (w *watchedWriter) startTimer() {
	if w.later == nil && !w.released {
		w.later = time.AfterFunc(watchAfter, w.watchLater)
	}
}

func (w *watchedWriter) watchLater() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.released && w.unwatch == nil {
		w.watch()
	}
}

// watch ends the response when its session ends. It is called with the lock held, and
// again when a response that is watched turns out to be a stream.
func (w *watchedWriter) watch() {
	if w.unwatch != nil {
		w.unwatch()
	}
	ends, grace := w.id.Expires, time.Duration(0)
	if !w.stream {
		ends = ends.Add(w.gateway.config.Access)
		grace = w.gateway.config.Grace
	}
	timer := time.AfterFunc(time.Until(ends), w.end)
	// Revocations only set the timer, so that no logout waits for this response.
	stop := w.runtime.Revocations.Watch(w.id, func() { timer.Reset(min(grace, max(time.Until(ends), 0))) })
	stopStale := w.watchStaleness(w.gateway.Allowance + grace)
	w.unwatch = func() {
		stop()
		stopStale()
		timer.Stop()
	}
}

// watchStaleness ends the response when a revocation may have been missed for
// longer than is allowed. It checks again when that may next be so. It is called
// with the lock held.
func (w *watchedWriter) watchStaleness(allowance time.Duration) (stop func()) {
	if w.runtime.Stale == nil {
		return func() {}
	}
	var timer *time.Timer
	stopped := false
	timer = time.AfterFunc(allowance, func() {
		left := allowance - w.runtime.Stale()
		if left < 0 {
			w.end()
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if !stopped {
			timer.Reset(left + staleStep)
		}
	})
	return func() {
		stopped = true
		timer.Stop()
	}
}

// end ends the response.
func (w *watchedWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.released || w.cut {
		return
	}
	w.cut = true
	w.ctx.end(errStreamEnded)
	if !w.tunnel {
		w.interrupt()
	}
}

// interrupt makes reads of the request fail, and writes of a response that has
// started: a handler that waits for a slow client does not look at its context. It
// is called with the lock held, before the handler has returned.
func (w *watchedWriter) interrupt() {
	// Caddy's wrappers (since https://github.com/caddyserver/caddy/pull/7913) store deadlines
	// without a lock: calling them here would be a data race. The server's writer has a lock.
	inner := w.ResponseWriter
	for {
		wrapper, ok := inner.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		inner = wrapper.Unwrap()
	}
	control := http.NewResponseController(inner)
	now := time.Now()
	_ = control.SetReadDeadline(now) // a writer without deadlines has no slow client
	if w.started {
		_ = control.SetWriteDeadline(now)
	}
}

// release ends the watch and reports whether the response was cut. It may be called
// more than once.
func (w *watchedWriter) release() (cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.released {
		w.released = true
		if w.later != nil {
			w.later.Stop()
		}
		w.ctx.release()
		if w.unwatch != nil {
			w.unwatch()
		}
	}
	return w.cut
}
