package gateway

import (
	"context"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/failures"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/push"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/web"
	"github.com/wxgate/wxgate/internal/wechat"
)

// Runtime is the opened state of one configuration: its rules over stores, key rings and
// clients that may outlive it. Requests acquire it while they use it.
type Runtime struct {
	Service     *auth.Service
	Tokens      *token.Tokens
	Web         *web.Service // of browsers
	Ring        *keyring.Ring
	Store       auth.Store
	Revocations *session.Set
	Platforms   map[auth.AppID]*wechat.Client
	Events      *queue.Queue // events about ended sessions; nothing is sent without events_to
	Pushes      *push.Router // messages that WeChat pushes
	Ready       func(context.Context) error
	StoreKind   string                                               // bolt, redis or memory
	Counts      func(context.Context) (n session.Counts, known bool) // of the sessions in the store
	Recent      *metrics.Recent

	// Of a store that machines share; nil without one.
	Stale func() time.Duration // the time since all revocations were known
	// Take uses one request of an allowance of all machines, or returns how long to wait.
	Take func(ctx context.Context, limit string, key []byte, n int, per time.Duration) (time.Duration, error)

	// Audit is called for each action of a user, of WeChat and of an operator; nil for no
	// audit. It must not block.
	Audit func(audit.Event)

	users  atomic.Int64 // running requests, and the configuration itself
	close  func() error
	logger *zap.Logger
}

// Open gives the runtime its first user. When the last user has released it, it is closed.
func (rt *Runtime) Open(closeAll func() error, logger *zap.Logger) {
	rt.close, rt.logger = closeAll, logger
	rt.users.Store(1)
}

// Acquire adds a user. It returns false if the last user has released the runtime.
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

// Release removes a user. The last Release closes the runtime.
func (rt *Runtime) Release() {
	if rt.users.Add(-1) > 0 {
		return
	}
	if err := rt.close(); err != nil {
		rt.logger.Error("closing a replaced configuration failed", zap.Error(err))
	}
}

// Record audits an action and its outcome; the user is the zero User if it is not known.
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

// OfApp adds to a failure the app that it concerns.
func (rt *Runtime) OfApp(app auth.AppID, err error) error {
	client, ok := rt.Platforms[app]
	if !ok {
		return err
	}
	return failures.OfApp(app, client.Platform(), err)
}
