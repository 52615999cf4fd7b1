package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/push"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/wechat"
)

// Runtime is the opened state of one configuration: its rules over stores, key rings
// and clients that may outlive it. Requests hold it while they use it.
type Runtime struct {
	Service     *auth.Service
	Tokens      *token.Tokens
	Ring        *keyring.Ring
	Store       auth.Store
	Revocations *session.Set
	Platforms   map[auth.AppID]*wechat.Client
	Events      *queue.Queue // of what ended; nothing is sent without events_to
	Pushes      *push.Router // of what WeChat pushes
	Ready       func(context.Context) error
	StoreKind   string                                               // bolt, redis or memory
	Counts      func(context.Context) (n session.Counts, known bool) // of the sessions in the store
	Recent      *metrics.Recent

	// Of a store that machines share; nil without one.
	Stale func() time.Duration // since all revocations were known
	// Take takes one off an allowance of all machines, or returns how long to wait.
	Take func(ctx context.Context, limit string, key []byte, n int, per time.Duration) (time.Duration, error)

	// Audit is called with each act of a user, of WeChat and of an operator; nil for no
	// record. It must not block.
	Audit func(audit.Event)

	users  atomic.Int64 // requests under way, and the configuration itself
	close  func() error
	logger *zap.Logger
}

// Open gives the runtime its first user. When the last one has released it, it is
// closed.
func (rt *Runtime) Open(closeAll func() error, logger *zap.Logger) {
	rt.close, rt.logger = closeAll, logger
	rt.users.Store(1)
}

// Acquire adds a user. It returns false if the last one has released the runtime.
func (rt *Runtime) Acquire() bool {
	for {
		n := rt.users.Load()
		if n == 0 {
			return false
		}
		if rt.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release takes a user away. The last one closes the runtime.
func (rt *Runtime) Release() {
	if rt.users.Add(-1) > 0 {
		return
	}
	if err := rt.close(); err != nil {
		rt.logger.Error("closing a replaced configuration failed", zap.Error(err))
	}
}

// Record records an act and its outcome; the user is the zero User if it is not known.
func (rt *Runtime) Record(e audit.Event, user auth.User, err error) {
	if rt.Audit == nil {
		return
	}
	if user != (auth.User{}) {
		e.App, e.UserID = user.App, rt.Tokens.Pseudonym(user)
	}
	e.Outcome = metrics.Outcome(err)
	rt.Audit(e)
}

// RecordEnded audits the sessions that a login ended.
func (rt *Runtime) RecordEnded(login *auth.Grant) {
	for _, id := range login.Ended {
		rt.Record(audit.Event{Action: audit.Revocation, By: audit.Gateway, Session: id, Cause: string(auth.CauseLimit), Ended: 1}, login.Identity.User, nil)
	}
}

// appError is a failure at the platform of one app: the log gets the app, and clients of
// other platforms than WeChat get the terms that they know.
type appError struct {
	app      auth.AppID
	platform wechat.Platform
	cause    error
}

// OfApp adds to a failure which app it is of. A failure of the store is of no app: all of
// them have it.
func (rt *Runtime) OfApp(app auth.AppID, err error) error {
	client, ok := rt.Platforms[app]
	if err == nil || !ok || errors.Is(err, auth.ErrStoreUnavailable) {
		return err
	}
	return &appError{app, client.Platform(), err}
}

func (e *appError) Error() string {
	return fmt.Sprintf("app %s on %s: %s", e.app, e.platform, e.cause)
}

func (e *appError) Unwrap() error { return e.cause }

// platformTerms replace WeChat's terms in a problem's detail: its name, in both languages,
// and what its clients call for a code.
var platformTerms = map[wechat.Platform]*strings.Replacer{
	wechat.QQ:          strings.NewReplacer("WeChat", "QQ", "微信", "QQ", "wx.login", "qq.login"),
	wechat.Douyin:      strings.NewReplacer("WeChat", "Douyin", "微信", "抖音", "wx.login", "tt.login"),
	wechat.Kuaishou:    strings.NewReplacer("WeChat", "Kuaishou", "微信", "快手", "wx.login", "ks.login"),
	wechat.Xiaohongshu: strings.NewReplacer("WeChat", "Xiaohongshu", "微信", "小红书", "wx.login", "xhs.login"),
	wechat.WeCom:       strings.NewReplacer("WeChat", "WeCom", "微信", "企业微信", "wx.login", "wx.qy.login"),
}

// Detail returns a problem's detail in the terms of the app's platform.
func (e *appError) Detail(detail string) string {
	if terms, ok := platformTerms[e.platform]; ok {
		return terms.Replace(detail)
	}
	return detail
}
