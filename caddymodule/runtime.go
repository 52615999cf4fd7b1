package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/wechat"
)

// runtime is one configuration's opened state: its rules over stores, rings and
// clients that outlive it.
type runtime struct {
	service     *auth.Service
	tokens      *token.Tokens
	ring        *token.Ring
	revocations *session.Set
	platforms   map[auth.AppID]*wechat.Client
	store       auth.Store
	box         *seal.Box
	ready       func(context.Context) error

	// Of a store that machines share; all nil without one.
	redis *redis.Client
	stale func() time.Duration // since all revocations were known
	// take is one off an allowance. Redis gets a keyed hash of the key.
	take func(ctx context.Context, limit string, key []byte, n int, per time.Duration) (time.Duration, error)

	logger   *zap.Logger
	users    atomic.Int64   // requests under way, and the configuration itself
	releases []func() error // in the order of acquisition
}

// acquire adds a user, unless the last one has gone.
func (rt *runtime) acquire() bool {
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

// release takes a user away; the last one closes the runtime.
func (rt *runtime) release() {
	if rt.users.Add(-1) > 0 {
		return
	}
	if err := rt.close(); err != nil {
		rt.logger.Error("closing a replaced configuration failed", zap.Error(err))
	}
}

// openRuntime opens everything that an app's configuration names, for one user.
// What it acquired before a failure is given back.
func openRuntime(ctx context.Context, a *App) (*runtime, error) {
	rt := &runtime{logger: a.logger}
	rt.users.Store(1)
	if err := rt.open(ctx, a); err != nil {
		return nil, errors.Join(err, rt.close())
	}
	return rt, nil
}

func (rt *runtime) open(ctx context.Context, a *App) error {
	secrets := a.secrets
	if len(secrets) == 0 {
		secret, err := rootSecret(ctx, a.ctx.Storage())
		if err != nil {
			return fmt.Errorf("the root secret: %w", err)
		}
		secrets = [][]byte{secret}
	}
	var err error
	if rt.box, err = seal.New(secrets...); err != nil {
		return err
	}
	if err := rt.openStore(ctx, a); err != nil {
		return err
	}
	if err := rt.openTokens(ctx, a); err != nil {
		return err
	}
	if err := rt.openPlatforms(a); err != nil {
		return err
	}
	apps := make(map[auth.AppID]auth.Platform, len(rt.platforms))
	for id, client := range rt.platforms {
		apps[id] = client
	}
	config := auth.Config{
		Apps:        apps,
		Tokens:      rt.tokens,
		Store:       rt.store,
		Revocations: rt.revocations,
		Available:   rt.ready,
		Access:      time.Duration(a.Token.Access),
		Refresh:     time.Duration(a.Token.Refresh),
		Idle:        time.Duration(a.Token.Idle),
	}
	config.KeyLocked = rt.keyLocked
	if rt.redis != nil {
		config.Outage = rt.redis.Outage
	}
	rt.service = auth.NewService(config)
	return nil
}

func (rt *runtime) openStore(ctx context.Context, a *App) error {
	opened, err := acquire(stores, a.Store.key(), &rt.releases, func() (*openStore, error) {
		return newOpenStore(ctx, a.Store, a.logger)
	})
	if err != nil {
		return err
	}
	rt.store, err = opened.forBox(ctx, rt.box)
	if len(a.secrets) == 0 && opened.redis != nil && errors.Is(err, session.ErrOtherSecret) {
		return fmt.Errorf("%w: this machine has its own root secret; copy the first machine's, %s in its Caddy storage, and configure it on all machines: secret {file./path/to/it}", err, secretItem)
	}
	rt.revocations, rt.ready = opened.revocations, opened.ready
	if opened.redis != nil {
		rt.redis, rt.stale, rt.take = opened.redis, opened.redis.Stale, opened.redis.Take
	}
	return err
}

func (rt *runtime) openTokens(ctx context.Context, a *App) error {
	local := item{a.ctx.Storage(), keysItem}
	key := ringKey{storage: fmt.Sprint(local.storage)}
	config := token.RingConfig{
		Storage:   local,
		Box:       rt.box,
		Alg:       a.alg,
		Issuer:    a.Token.Issuer,
		Audiences: a.Token.Audience,
		Key:       a.key,
		Access:    time.Duration(a.Token.Access),
		Rotate:    time.Duration(a.Token.Rotate),
		Report: func(err error) {
			a.logger.Error("key ring maintenance failed", zap.Error(err))
		},
	}
	if rt.redis != nil {
		// Machines share their keys where they share their sessions, and begin with
		// those of the first: the step from one machine to many ends no token.
		key = ringKey{store: a.Store.key()}
		config.Storage, config.Inherit = rt.redis.Value(keysValue), local.Load
	}
	opened, err := acquire(rings, key, &rt.releases, func() (*openRing, error) {
		return newOpenRing(ctx, config, rt.revocations)
	})
	if err != nil {
		return err
	}
	// A ring that an earlier configuration opened goes on under this one's. A late
	// request of a configuration that is gone must not turn it back.
	if !a.cleaned {
		if err := opened.ring.Reconfigure(ctx, config); err != nil {
			return err
		}
	}
	rt.ring = opened.ring
	rt.tokens, err = token.New(token.Config{Ring: rt.ring, Box: rt.box})
	if err != nil {
		return err
	}
	rt.releases = append(rt.releases, func() error { rt.tokens.Close(); return nil })
	return nil
}

func (rt *runtime) openPlatforms(a *App) error {
	rt.platforms = make(map[auth.AppID]*wechat.Client)
	var shared tokenPlace
	if rt.redis != nil {
		shared = tokenPlace{a.Store.key(), rt.box.ID()}
	}
	for _, app := range a.MiniPrograms {
		key := app.platformKey(shared)
		opened, err := acquire(platforms, key, &rt.releases, func() (*openPlatform, error) {
			return newOpenPlatform(app, rt.tokenShare(key))
		})
		if err != nil {
			return fmt.Errorf("app %s: %w", app.id, err)
		}
		rt.platforms[app.id] = opened.client
	}
	return nil
}

// close gives everything back, last acquired first.
func (rt *runtime) close() error {
	var errs []error
	for _, v := range slices.Backward(rt.releases) {
		errs = append(errs, v())
	}
	rt.releases = nil
	return errors.Join(errs...)
}

// unready is why logins or requests cannot be served now; nothing when they can.
func (rt *runtime) unready(ctx context.Context) []string {
	var reasons []string
	if err := rt.ready(ctx); err != nil {
		reasons = append(reasons, "store_unavailable")
	}
	return reasons
}
