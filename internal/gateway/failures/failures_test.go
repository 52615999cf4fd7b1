package failures

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/wechat"
)

// failureLog records each line as its level, message, code, app and number of requests.
type failureLog struct {
	t *testing.T
	Log
	logger *zap.Logger
	lines  *observer.ObservedLogs
}

func requestID(*http.Request) string { return "id" }

func newFailureLog(t *testing.T, level zapcore.Level) *failureLog {
	core, lines := observer.New(level)
	return &failureLog{t: t, logger: zap.New(core), lines: lines}
}

func (l *failureLog) fail(n int, err error) {
	for range n {
		l.Log.Log(l.logger, "refused", problem.Of(err), httptest.NewRequest(http.MethodGet, "/x", nil), requestID)
	}
}

// want compares the lines that were logged since the last call.
func (l *failureLog) want(lines ...string) {
	l.t.Helper()
	var got []string
	for _, entry := range l.lines.TakeAll() {
		fields := entry.ContextMap()
		line := fmt.Sprint(entry.Level, " ", entry.Message, " ", fields["code"])
		for _, name := range []string{"app", "requests", "lasted"} {
			if value, ok := fields[name]; ok {
				line += fmt.Sprintf(" %s=%v", name, value)
			}
		}
		got = append(got, line)
	}
	if !slices.Equal(got, lines) {
		l.t.Errorf("the log has\n%q, want\n%q", got, lines)
	}
}

// pass advances the clock, until the lines that are due have been logged.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// TestOutagesDoNotFillTheDisk simulates an outage of the store, and then of WeChat for two apps.
func TestOutagesDoNotFillTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFailureLog(t, zapcore.InfoLevel)
		l.fail(1000, auth.ErrStoreUnavailable)
		l.want("error refused store_unavailable")
		pass(outageEvery)
		l.want("error refused store_unavailable requests=999")
		pass(outageEvery / 2)
		l.fail(50, fmt.Errorf("%w: another cause", auth.ErrStoreUnavailable))
		l.want()
		pass(outageEvery / 2)
		l.want("error refused store_unavailable requests=50")
		pass(outageEvery)
		l.want("info outage over: refused store_unavailable requests=1050 lasted=15s")
		pass(time.Hour)
		l.want()

		for _, app := range []auth.AppID{"wx1", "wx2"} {
			l.fail(3, &appError{app, wechat.WeChat, auth.ErrWeChatBusy})
		}
		l.fail(1, &appError{"wx1", wechat.WeChat, auth.ErrWeChatTimeout})
		l.want("error refused wechat_busy", "error refused wechat_busy", "error refused wechat_timeout")
		l.Close()
		for _, entry := range l.lines.All() {
			if entry.Message != "refused" || entry.ContextMap()["requests"] != int64(2) {
				t.Errorf("after Close, the log has %v", entry)
			}
		}
		if n := len(l.lines.TakeAll()); n != 2 {
			t.Errorf("Close logged %d lines, want one line per app for wechat_busy", n)
		}
		l.fail(2, auth.ErrStoreUnavailable) // late requests
		pass(time.Hour)
		l.want("error refused store_unavailable", "error refused store_unavailable")
	})
}

// TestFailuresThatAreNotOutages tests bugs, each of which may be a different bug, mistakes of
// clients, and clients that disconnected.
func TestFailuresThatAreNotOutages(t *testing.T) {
	gone, hangUp := context.WithCancel(context.Background())
	hangUp()
	for name, test := range map[string]struct {
		level zapcore.Level
		ctx   context.Context //nolint:containedctx // of the request
		err   error
		want  []string
	}{
		"bugs":                        {zapcore.InfoLevel, context.Background(), errors.ErrUnsupported, []string{"error refused internal", "error refused internal"}},
		"clients":                     {zapcore.InfoLevel, context.Background(), auth.ErrInvalidToken, nil},
		"clients, with DEBUG":         {zapcore.DebugLevel, context.Background(), auth.ErrInvalidToken, []string{"debug refused invalid_token", "debug refused invalid_token"}},
		"an outage, with DEBUG":       {zapcore.DebugLevel, context.Background(), auth.ErrStoreUnavailable, []string{"error refused store_unavailable", "debug refused store_unavailable"}},
		"hung up":                     {zapcore.InfoLevel, gone, fmt.Errorf("%w: %w", auth.ErrStoreUnavailable, context.Canceled), nil},
		"hung up, with another error": {zapcore.InfoLevel, gone, auth.ErrStoreUnavailable, []string{"error refused store_unavailable"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newFailureLog(t, test.level)
			for range 2 {
				l.Log.Log(l.logger, "refused", problem.Of(test.err), httptest.NewRequestWithContext(test.ctx, http.MethodGet, "/x", nil), requestID)
			}
			l.want(test.want...)
			l.Close()
		})
	}
}

// TestStoreOutageBelongsToNoApp: if the store is down while users of two apps log in, that is one outage,
// not one per app.
func TestStoreOutageBelongsToNoApp(t *testing.T) {
	l := newFailureLog(t, zapcore.InfoLevel)
	for _, app := range []auth.AppID{"wx1", "wx2"} {
		l.fail(1, OfApp(app, wechat.WeChat, fmt.Errorf("%w: unreachable", auth.ErrStoreUnavailable)))
		l.fail(1, OfApp(app, wechat.WeChat, auth.ErrWeChatBusy))
	}
	l.want("error refused store_unavailable", "error refused wechat_busy", "error refused wechat_busy")
	l.Close()
	if err := OfApp("wx1", wechat.WeChat, nil); err != nil {
		t.Errorf("without a failure: %v", err)
	}
}
