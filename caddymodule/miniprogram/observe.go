package miniprogram

import (
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechat/apisecurity"
)

// The minimum intervals between log lines with one outcome of encrypted calls.
const (
	refusalEvery    = time.Minute
	deprecatedEvery = time.Hour
)

// securityObserver counts and logs the outcomes of encrypted calls.
type securityObserver struct {
	mu     sync.Mutex
	logged map[apisecurity.Outcome]time.Time
}

func newSecurityObserver() *securityObserver {
	return &securityObserver{logged: make(map[apisecurity.Outcome]time.Time)}
}

func (o *securityObserver) observe(check wechat.SecurityCheck) {
	metrics.ObserveSecurity(check)
	// Caddy's current logger: the client outlives the configuration that opened it.
	logger := caddy.Log().Named("wxgate").With(zap.String("app", string(check.App)), zap.String("call", check.Path))
	switch {
	case check.Err != nil && o.due(check.Outcome, refusalEvery):
		logger.Warn("WeChat's response refused: it could not be verified", zap.String("outcome", string(check.Outcome)), zap.Error(check.Err))
	case check.Outcome == apisecurity.Deprecated && o.due(check.Outcome, deprecatedEvery):
		logger.Warn("WeChat replaces its certificate; download the new one from WeChat's console and add it with verify", zap.String("serial", check.Serial))
	}
}

// due reports whether a line about an outcome may be written again.
func (o *securityObserver) due(outcome apisecurity.Outcome, every time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if last, ok := o.logged[outcome]; ok && time.Since(last) < every {
		return false
	}
	o.logged[outcome] = time.Now()
	return true
}
