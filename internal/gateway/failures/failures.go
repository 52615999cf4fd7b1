// Package failures logs the failures of requests, without filling the disk in an outage.
package failures

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

// outageEvery is how often a line reports the number of requests that failed in an outage. Six
// lines a minute do not fill a disk. If no request fails for that long, the outage is over.
const outageEvery = 10 * time.Second

// requestIDField is the field in which Caddy logs the ID of a request. wxgate's lines
// have the same field, so that one search finds both.
const requestIDField = "uuid"

// outages are the error codes of failures of all requests, because a service that all need is
// down or misconfigured.
var outages = map[string]bool{
	"store_unavailable": true, "app_misconfigured": true,
	"wechat_busy": true, "wechat_timeout": true, "wechat_unreachable": true, "wechat_unreadable": true,
}

// Log logs the failures of requests: failures that the operator must fix at ERROR, the mistakes
// of clients at DEBUG. An outage has one line when it begins, one line per outageEvery while it
// lasts, and one line when it is over: a line for each request would fill the disk. The zero
// value is ready to use.
type Log struct {
	mu      sync.Mutex // guards all below, and the outages
	current map[outageKey]*outage
	closed  bool
}

// outageKey has a bounded number of values: messages, error codes and configured apps. Clients
// cannot choose them.
type outageKey struct {
	message, code string
	app           auth.AppID // "" if the failure is not of one app
}

type outage struct {
	logger      *zap.Logger
	began, last time.Time // when requests failed
	cause       string    // of the last failure
	hit         int       // requests since it began
	reported    int       // how many of those were already logged
	timer       *time.Timer
}

// Log writes a line about one request, or counts it for the next line of its outage. At DEBUG,
// each request has a line. requestID is called only if a line is written.
func (l *Log) Log(logger *zap.Logger, message string, p *problem.Problem, r *http.Request, requestID func(*http.Request) string) {
	level := zapcore.DebugLevel
	if p.Status >= http.StatusInternalServerError && !hungUp(r, p) && l.needsLine(logger, message, p) {
		level = zapcore.ErrorLevel
	}
	if entry := logger.Check(level, message); entry != nil {
		entry.Write(
			zap.String("code", p.Code),
			zap.Int("status", p.Status),
			zap.String("cause", p.Cause.Error()),
			zap.String("path", r.URL.Path),
			zap.String(requestIDField, requestID(r)),
		)
	}
}

// hungUp reports whether the only failure is that the client disconnected.
func hungUp(r *http.Request, p *problem.Problem) bool {
	return r.Context().Err() != nil && errors.Is(p.Cause, context.Canceled)
}

// needsLine reports whether a failure gets a separate line.
func (l *Log) needsLine(logger *zap.Logger, message string, p *problem.Problem) bool {
	if !outages[p.Code] {
		return true
	}
	key := outageKey{message: message, code: p.Code}
	if at, ok := errors.AsType[*appError](p.Cause); ok {
		key.app = at.app
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return true // a late request of a replaced configuration
	}
	now := time.Now()
	if o := l.current[key]; o != nil {
		o.last, o.cause = now, p.Cause.Error()
		o.hit++
		return false
	}
	if l.current == nil {
		l.current = make(map[outageKey]*outage)
	}
	l.current[key] = &outage{
		logger: logger, began: now, last: now, hit: 1, reported: 1,
		timer: time.AfterFunc(outageEvery, func() { l.report(key) }),
	}
	return true
}

// report logs that an outage continues, or that it is over.
func (l *Log) report(key outageKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.current[key]
	switch {
	case o == nil: // closed in the meantime
	case o.hit > o.reported:
		o.continues(key)
		o.timer.Reset(outageEvery)
	default:
		o.logger.Info("outage over: "+key.message, key.field(), zap.String("code", key.code),
			zap.Int("requests", o.hit), zap.Duration("lasted", o.last.Sub(o.began)))
		delete(l.current, key)
	}
}

// Close stops the timers and logs the requests that are not logged yet.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for key, o := range l.current {
		o.timer.Stop()
		if o.hit > o.reported {
			o.continues(key)
		}
	}
	l.current = nil
}

// continues logs how many requests failed since the last line.
func (o *outage) continues(key outageKey) {
	o.logger.Error(key.message, key.field(), zap.String("code", key.code),
		zap.Int("requests", o.hit-o.reported), zap.Duration("lasts", time.Since(o.began)), zap.String("cause", o.cause))
	o.reported = o.hit
}

func (k outageKey) field() zap.Field {
	if k.app == "" {
		return zap.Skip()
	}
	return zap.String("app", string(k.app))
}
