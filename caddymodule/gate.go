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

// gate is one configuration's opened state: its rules over stores, rings and
// clients that outlive it.
type gate struct {
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
func (g *gate) acquire() bool {
	for {
		n := g.users.Load()
		if n == 0 {
			return false
		}
		if g.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release takes a user away; the last one closes the gate.
func (g *gate) release() {
	if g.users.Add(-1) > 0 {
		return
	}
	if err := g.close(); err != nil {
		g.logger.Error("closing a replaced configuration failed", zap.Error(err))
	}
}

// openGate opens everything that an app's configuration names, for one user.
// What it acquired before a failure is given back.
func openGate(ctx context.Context, a *App) (*gate, error) {
	g := &gate{logger: a.logger}
	g.users.Store(1)
	if err := g.open(ctx, a); err != nil {
		return nil, errors.Join(err, g.close())
	}
	return g, nil
}

func (g *gate) open(ctx context.Context, a *App) error {
	secrets := a.secrets
	if len(secrets) == 0 {
		secret, err := rootSecret(ctx, a.ctx.Storage())
		if err != nil {
			return fmt.Errorf("the root secret: %w", err)
		}
		secrets = [][]byte{secret}
	}
	var err error
	if g.box, err = seal.New(secrets...); err != nil {
		return err
	}
	if err := g.openStore(ctx, a); err != nil {
		return err
	}
	if err := g.openTokens(ctx, a); err != nil {
		return err
	}
	if err := g.openPlatforms(a); err != nil {
		return err
	}
	apps := make(map[auth.AppID]auth.Platform, len(g.platforms))
	for id, client := range g.platforms {
		apps[id] = client
	}
	config := auth.Config{
		Apps:        apps,
		Tokens:      g.tokens,
		Store:       g.store,
		Revocations: g.revocations,
		Available:   g.ready,
		Access:      time.Duration(a.Token.Access),
		Refresh:     time.Duration(a.Token.Refresh),
		Idle:        time.Duration(a.Token.Idle),
	}
	config.KeyLocked = g.keyLocked
	if g.redis != nil {
		config.Outage = g.redis.Outage
	}
	g.service = auth.NewService(config)
	return nil
}

func (g *gate) openStore(ctx context.Context, a *App) error {
	opened, err := acquire(stores, a.Store.key(), &g.releases, func() (*openStore, error) {
		return newOpenStore(ctx, a.Store, a.logger)
	})
	if err != nil {
		return err
	}
	g.store, err = opened.forBox(ctx, g.box)
	if len(a.secrets) == 0 && opened.redis != nil && errors.Is(err, session.ErrOtherSecret) {
		return fmt.Errorf("%w: this machine has its own root secret; copy the first machine's, %s in its Caddy storage, and configure it on all machines: secret {file./path/to/it}", err, secretItem)
	}
	g.revocations, g.ready = opened.revocations, opened.ready
	if opened.redis != nil {
		g.redis, g.stale, g.take = opened.redis, opened.redis.Stale, opened.redis.Take
	}
	return err
}

func (g *gate) openTokens(ctx context.Context, a *App) error {
	local := item{a.ctx.Storage(), keysItem}
	key := ringKey{storage: fmt.Sprint(local.storage)}
	config := token.RingConfig{
		Storage:   local,
		Box:       g.box,
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
	if g.redis != nil {
		// Machines share their keys where they share their sessions, and begin with
		// those of the first: the step from one machine to many ends no token.
		key = ringKey{store: a.Store.key()}
		config.Storage, config.Inherit = g.redis.Value(keysValue), local.Load
	}
	opened, err := acquire(rings, key, &g.releases, func() (*openRing, error) {
		return newOpenRing(ctx, config, g.revocations)
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
	g.ring = opened.ring
	g.tokens, err = token.New(token.Config{Ring: g.ring, Box: g.box})
	if err != nil {
		return err
	}
	g.releases = append(g.releases, func() error { g.tokens.Close(); return nil })
	return nil
}

func (g *gate) openPlatforms(a *App) error {
	g.platforms = make(map[auth.AppID]*wechat.Client)
	var shared tokenPlace
	if g.redis != nil {
		shared = tokenPlace{a.Store.key(), g.box.ID()}
	}
	for _, app := range a.MiniPrograms {
		key := app.platformKey(shared)
		opened, err := acquire(platforms, key, &g.releases, func() (*openPlatform, error) {
			return newOpenPlatform(app, g.tokenShare(key))
		})
		if err != nil {
			return fmt.Errorf("app %s: %w", app.id, err)
		}
		g.platforms[app.id] = opened.client
	}
	return nil
}

// close gives everything back, last acquired first.
func (g *gate) close() error {
	var errs []error
	for _, v := range slices.Backward(g.releases) {
		errs = append(errs, v())
	}
	g.releases = nil
	return errors.Join(errs...)
}

// unready is why logins or requests cannot be served now; nothing when they can.
func (g *gate) unready(ctx context.Context) []string {
	var reasons []string
	if err := g.ready(ctx); err != nil {
		reasons = append(reasons, "store_unavailable")
	}
	return reasons
}
