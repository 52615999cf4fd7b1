// Package writer has the writers that change or watch the response of an upstream.
package writer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/session"
)

// ErrEnded is the cause when the context of a response is canceled.
var ErrEnded = errors.New("stream closed: token expired, session revoked, or revocation state unknown")

const (
	// watchAfter is how long a request may take before its response is watched. Most requests
	// end earlier and need no entry in the registry, which has a lock.
	watchAfter = time.Second

	// staleStep is how far the revocations must exceed the allowed staleness before a response
	// ends: enough for the clock to have advanced when the timer fires.
	staleStep = 50 * time.Millisecond
)

// Rules define when a response ends.
type Rules struct {
	Revocations *session.Set

	Stale     func() time.Duration // the time since all revocations were known; nil if they always are
	Allowance time.Duration        // the maximum staleness
	Access    time.Duration        // how long a response that is not a stream may continue after its token expired
	Grace     time.Duration        // and after its session was revoked
}

// Watch returns the writer for a response to the identity's request. Serve the request with
// its Context, and call Release once the handler has returned.
//
// A WebSocket and a text/event-stream response end with their session at once. Any other
// response may continue for a while, so that an upload which began just before is not aborted.
// Without this, a response that was opened a second before its session was revoked could
// continue for days, whatever its content type: an attacker with a stolen token would keep
// reading.
func Watch(w http.ResponseWriter, r *http.Request, id *auth.Identity, redactor edge.Redactor, rules Rules) *Watched {
	rw := &Watched{
		Base:    Base{w},
		connect: r.Method == http.MethodConnect,
		upgrade: r.Header["Upgrade"] != nil,
		rules:   rules,
		id:      id,
		ctx:     watchedContext{parent: r.Context(), redactor: redactor},
	}
	rw.ctx.writer = rw
	if r.ContentLength != 0 {
		rw.watchSoon() // the client decides how long an upload takes
	}
	return rw
}

// Watched is a response that ends with its session.
type Watched struct {
	Base

	connect bool // the request is a CONNECT
	upgrade bool // the request has an Upgrade header
	rules   Rules
	id      *auth.Identity
	ctx     watchedContext

	mu       sync.Mutex
	later    *time.Timer // begins the watch of a response that takes long; nil until a caller waits
	started  bool        // the status was sent
	stream   bool        // a WebSocket or text/event-stream
	tunnel   bool        // the connection was hijacked
	cut      bool        // the session ended
	released bool        // the handler has returned
	unwatch  func()      // nil unless watched
}

// Context returns the context for the request. It ends with the session.
func (w *Watched) Context() context.Context { return &w.ctx }

// Started reports whether the status was sent. Call it after Release.
func (w *Watched) Started() bool { return w.started }

// Tunnel reports whether the connection became a tunnel. Call it after Release.
func (w *Watched) Tunnel() bool { return w.tunnel }

// WriteHeader begins to watch the response if it is a stream.
func (w *Watched) WriteHeader(status int) {
	w.start(status)
	w.ResponseWriter.WriteHeader(status)
}

// Write sends the status first, as any ResponseWriter does.
func (w *Watched) Write(b []byte) (int, error) {
	w.start(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// ReadFrom keeps sendfile for files.
func (w *Watched) ReadFrom(r io.Reader) (int64, error) {
	w.start(http.StatusOK)
	return w.Base.ReadFrom(r)
}

// FlushError is called by [http.ResponseController]. It sends the status.
func (w *Watched) FlushError() error {
	w.start(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// start notes that the response begins with this status.
func (w *Watched) start(status int) {
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

func (w *Watched) isStream(status int) bool {
	if status == http.StatusSwitchingProtocols {
		return true
	}
	if status >= http.StatusMultipleChoices {
		return false
	}
	return w.upgrade || w.connect || strings.HasPrefix(strings.ToLower(w.Header().Get("Content-Type")), "text/event-stream")
}

// watchSoon begins to watch the response if it takes long.
func (w *Watched) watchSoon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.startTimer()
}

// startTimer is called with the lock held.
func (w *Watched) startTimer() {
	if w.later == nil && !w.released {
		w.later = time.AfterFunc(watchAfter, w.watchLater)
	}
}

func (w *Watched) watchLater() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.released && w.unwatch == nil {
		w.watch()
	}
}

// watch ends the response when its session ends. It is called with the lock held, and
// again when a response that is watched turns out to be a stream.
func (w *Watched) watch() {
	if w.unwatch != nil {
		w.unwatch()
	}
	ends, grace := w.id.Expires, time.Duration(0)
	if !w.stream {
		ends = ends.Add(w.rules.Access)
		grace = w.rules.Grace
	}
	timer := time.AfterFunc(time.Until(ends), w.end)
	// Revocations only set the timer, so that no logout waits for this response.
	stop := w.rules.Revocations.Watch(w.id, func() { timer.Reset(min(grace, max(time.Until(ends), 0))) })
	stopStale := w.watchStaleness(w.rules.Allowance + grace)
	w.unwatch = func() {
		stop()
		stopStale()
		timer.Stop()
	}
}

// watchStaleness ends the response when a revocation may have been missed for longer than
// allowed. It schedules the next check. It is called with the lock held.
func (w *Watched) watchStaleness(allowance time.Duration) (stop func()) {
	if w.rules.Stale == nil {
		return func() {}
	}
	var timer *time.Timer
	stopped := false
	timer = time.AfterFunc(allowance, func() {
		left := allowance - w.rules.Stale()
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
func (w *Watched) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.released || w.cut {
		return
	}
	w.cut = true
	w.ctx.end(ErrEnded)
	if !w.tunnel {
		w.interrupt()
	}
}

// interrupt makes reads of the request fail, and writes of a response that has started: a
// handler that waits for a slow client does not check its context. It is called with the lock
// held, before the handler has returned.
func (w *Watched) interrupt() {
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
	_ = control.SetReadDeadline(now) // a writer without deadlines is not a network connection
	if w.started {
		_ = control.SetWriteDeadline(now)
	}
}

// Release ends the watch and reports whether the response was cut. It may be called
// more than once.
func (w *Watched) Release() (cut bool) {
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
