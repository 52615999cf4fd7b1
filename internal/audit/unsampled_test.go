package audit

import (
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// sampled returns a core that writes each message once an hour.
func sampled(core zapcore.Core) zapcore.Core {
	return zapcore.NewSamplerWithOptions(core, time.Hour, 1, 0)
}

// TestUnsampled writes the same line many times to a log that samples, and to a log of errors
// only.
func TestUnsampled(t *testing.T) {
	t.Parallel()
	all, lines := observer.New(zapcore.InfoLevel)
	high, highLines := observer.New(zapcore.ErrorLevel)
	behind := zap.New(zapcore.NewTee(sampled(all), sampled(high))).Named("wxgate.audit")
	const n = 100
	for range n {
		behind.Info("sampled")
		Unsampled(behind).Info("login", zap.String("app", "wx1"))
		Unsampled(behind).With(zap.String("app", "wx1")).Info("logout")
		Unsampled(behind).Debug("below the level of both")
	}
	if got := lines.FilterMessage("sampled").Len(); got != 1 {
		t.Fatalf("the sampler wrote %d lines, want 1: the test proves nothing", got)
	}
	for _, message := range []string{"login", "logout"} {
		for log, kept := range map[string]*observer.ObservedLogs{"at INFO": lines, "at ERROR": highLines} {
			found := kept.FilterMessage(message).All()
			if len(found) != n {
				t.Fatalf("%d lines of %s in the log %s, want %d", len(found), message, log, n)
			}
			if at := found[n-1]; at.Level != zapcore.InfoLevel || at.LoggerName != "wxgate.audit" || at.ContextMap()["app"] != "wx1" {
				t.Errorf("%s in the log %s: %+v", message, log, at)
			}
		}
	}
	if got := lines.FilterMessage("below the level of both").Len(); got != 0 {
		t.Errorf("%d lines below the level", got)
	}
}

// TestUnsampledLevel: a process whose logs are all at ERROR has no audit lines.
func TestUnsampledLevel(t *testing.T) {
	t.Parallel()
	high, lines := observer.New(zapcore.ErrorLevel)
	Write(Unsampled(zap.New(high)), Event{Action: Login, Outcome: OK})
	if lines.Len() != 0 {
		t.Errorf("%d lines, want none", lines.Len())
	}
}
