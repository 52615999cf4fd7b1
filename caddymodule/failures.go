package caddymodule

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

// outageEvery is how often a line says how many requests an outage has hit: six a
// minute fill no disk, and each is of the last seconds. An outage that hit none
// for that long is over.
const outageEvery = 10 * time.Second

// outages are the failures that hit every request while something that all of
// them need is down, or wrong.
var outages = map[string]bool{
	"store_unavailable": true, "app_misconfigured": true,
	"wechat_busy": true, "wechat_timeout": true, "wechat_unreachable": true, "wechat_unreadable": true,
}

// failures writes to the log what went wrong with requests: what the operator must
// act on as an error, what clients do wrong as a debug line. Of an outage there is
// one line when it begins, one each outageEvery while it lasts and one when it is
// over: a line for each request would fill the disk.
type failures struct {
	mu      sync.Mutex // guards all below, and the outages
	current map[outageKey]*outage
	closed  bool
}

// outageKey has no more values than there are messages, words and configured
// apps: nothing in it is a client's.
type outageKey struct {
	message, code string
	app           auth.AppID // empty where it is no app's
}

type outage struct {
	logger      *zap.Logger
	began, last time.Time // when it hit requests
	cause       string    // of the last one
	hit         int       // requests since it began
	told        int       // of those, how many the lines so far speak of
	timer       *time.Timer
}

// log writes a line about one request, or counts it for the next line of its
// outage. With DEBUG there is a line for each.
func (f *failures) log(logger *zap.Logger, message string, p *problem.Problem, r *http.Request) {
	level := zapcore.DebugLevel
	if p.Status >= http.StatusInternalServerError && !hungUp(r, p) && f.isNews(logger, message, p) {
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

// hungUp reports whether nothing is wrong but that the client has gone.
func hungUp(r *http.Request, p *problem.Problem) bool {
	return r.Context().Err() != nil && errors.Is(p.Cause, context.Canceled)
}

// isNews reports whether a failure is to have a line of its own.
func (f *failures) isNews(logger *zap.Logger, message string, p *problem.Problem) bool {
	if !outages[p.Code] {
		return true
	}
	key := outageKey{message: message, code: p.Code}
	if at, ok := errors.AsType[*appError](p.Cause); ok {
		key.app = at.app
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return true // a late request of a configuration that is gone
	}
	now := time.Now()
	if o := f.current[key]; o != nil {
		o.last, o.cause = now, p.Cause.Error()
		o.hit++
		return false
	}
	if f.current == nil {
		f.current = make(map[outageKey]*outage)
	}
	f.current[key] = &outage{
		logger: logger, began: now, last: now, hit: 1, told: 1,
		timer: time.AfterFunc(outageEvery, func() { f.tell(key) }),
	}
	return true
}

// tell writes how an outage goes on, or that it is over.
func (f *failures) tell(key outageKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.current[key]
	switch {
	case o == nil: // closed meanwhile
	case o.hit > o.told:
		o.goesOn(key)
		o.timer.Reset(outageEvery)
	default:
		o.logger.Info("outage over: "+key.message, key.field(), zap.String("code", key.code),
			zap.Int("requests", o.hit), zap.Duration("lasted", o.last.Sub(o.began)))
		delete(f.current, key)
	}
}

// close ends the timers, and writes what the lines so far do not speak of.
func (f *failures) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for key, o := range f.current {
		o.timer.Stop()
		if o.hit > o.told {
			o.goesOn(key)
		}
	}
	f.current = nil
}

// goesOn writes how many requests were hit since the last line.
func (o *outage) goesOn(key outageKey) {
	o.logger.Error(key.message, key.field(), zap.String("code", key.code),
		zap.Int("requests", o.hit-o.told), zap.Duration("lasts", time.Since(o.began)), zap.String("cause", o.cause))
	o.told = o.hit
}

func (k outageKey) field() zap.Field {
	if k.app == "" {
		return zap.Skip()
	}
	return zap.String("app", string(k.app))
}
