package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/caddymodule/storage"
	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/wechat"
)

// opener opens a [gateway.Runtime], part by part.
type opener struct {
	app     *App
	storage certmagic.Storage // Caddy's
	runtime *gateway.Runtime

	box      *seal.Box
	store    *pooledStore
	redis    *redis.Client // nil without store redis
	budgets  map[auth.AppID]auth.PhoneBudget
	releases []func() error // in the order of acquisition
}

// openRuntime opens everything that an app's configuration names. The caller holds the
// first reference to the runtime. If opening fails, everything that was acquired before is
// released.
func openRuntime(ctx context.Context, a *App) (*gateway.Runtime, error) {
	o := &opener{app: a, storage: a.ctx.Storage(), runtime: &gateway.Runtime{Audit: a.record}}
	if err := o.open(ctx); err != nil {
		return nil, errors.Join(err, o.close())
	}
	o.runtime.Open(o.close, a.logger)
	return o.runtime, nil
}

func (o *opener) open(ctx context.Context) error {
	secrets := o.app.secrets
	if len(secrets) == 0 {
		generated, made, err := storage.RootSecret(ctx, o.storage)
		if err != nil {
			return fmt.Errorf("the root secret: %w", err)
		}
		if made {
			o.app.started.addMade(madeSecret)
		}
		secrets = [][]byte{generated}
	}
	var err error
	if o.runtime.Recent, err = Acquire(recents, struct{}{}, &o.releases, metrics.StartRecent); err != nil {
		return err
	}
	if o.box, err = seal.New(secrets...); err != nil {
		return err
	}
	for _, open := range []func(context.Context) error{o.openStore, o.openTokens, o.openPlatforms, o.openBudgets, o.openEvents, o.openPushes} {
		if err := open(ctx); err != nil {
			return err
		}
	}
	o.openService()
	return o.openBrowsers(ctx)
}

func (o *opener) openService() {
	rt, configured := o.runtime, o.app.Token
	apps := make(map[auth.AppID]auth.Platform, len(rt.Platforms))
	scopes := make(map[auth.AppID]auth.Scope, len(rt.Platforms))
	for id, client := range rt.Platforms {
		apps[id], scopes[id] = client, client.Scope()
	}
	config := auth.Config{
		Apps:        apps,
		Scopes:      scopes,
		Browsers:    o.app.browsers,
		DevMode:     o.app.DevMode != "",
		Tokens:      rt.Tokens,
		Store:       rt.Store,
		Revocations: rt.Revocations,
		Available:   rt.Ready,
		Access:      time.Duration(configured.Access),
		Refresh:     time.Duration(configured.Refresh),
		Idle:        time.Duration(configured.Idle),
		KeyLocked:   o.keyLocked,
		Ended:       o.sessionEnded,
		Limits:      o.app.sessionLimits(),

		PhoneBudgets: o.budgets,
	}
	if o.redis != nil {
		config.Outage = o.redis.Outage
	}
	rt.Service = auth.NewService(config)
}

// sessionLimits returns the configured limits; apps without one have the default.
func (a *App) sessionLimits() map[auth.AppID]auth.SessionLimit {
	limits := make(map[auth.AppID]auth.SessionLimit)
	for _, m := range a.MiniPrograms {
		if m.SessionLimit != nil {
			limits[m.ID()] = auth.SessionLimit{Sessions: m.SessionLimit.Sessions, PerDevice: m.SessionLimit.PerDevice}
		}
	}
	return limits
}

func (o *opener) openStore(ctx context.Context) error {
	configured := o.app.Store
	opened, err := Acquire(stores, configured.key(), &o.releases, func() (*pooledStore, error) {
		return newPooledStore(ctx, configured, o.app.logger)
	})
	if err != nil {
		return err
	}
	rt := o.runtime
	o.store = opened
	rt.Store, err = opened.forBox(ctx, o.box)
	if len(o.app.secrets) == 0 && opened.redis != nil && errors.Is(err, session.ErrOtherSecret) {
		return fmt.Errorf("%w: this machine has its own root secret; copy the first machine's, %s in its Caddy storage, and configure it on all machines: secret {file./path/to/it}", err, storage.SecretName)
	}
	rt.Revocations, rt.Ready = opened.revocations, opened.ready
	rt.StoreKind, rt.Counts = configured.Kind, opened.counts
	if opened.redis != nil {
		o.redis, rt.Stale, rt.Take = opened.redis, opened.redis.Stale, opened.redis.Take
	}
	return err
}

func (o *opener) openTokens(ctx context.Context) error {
	a, rt := o.app, o.runtime
	local := storage.Item{Storage: o.storage, Name: storage.KeysName}
	key := ringKey{storage: fmt.Sprint(local.Storage)}
	config := keyring.Config{
		Storage:   local,
		Box:       o.box,
		Alg:       a.alg,
		Issuer:    a.Token.Issuer,
		Audiences: a.Token.Audience,
		Key:       a.key,
		Access:    time.Duration(a.Token.Access),
		Rotate:    time.Duration(a.Token.Rotate),
		Changed:   a.keysChanged,
		Report: func(err error) {
			a.logger.Error("key ring maintenance failed", zap.Error(err))
		},
	}
	if o.redis != nil {
		// Machines share their keys where they share their sessions, and begin with
		// the keys of the first machine: adding machines invalidates no token.
		key = ringKey{store: a.Store.key()}
		config.Storage, config.Inherit = o.redis.Value(storage.KeysValue), local.Load
	}
	opened, err := Acquire(rings, key, &o.releases, func() (*pooledRing, error) {
		return newPooledRing(ctx, config, rt.Revocations)
	})
	if err != nil {
		return err
	}
	// A ring that an earlier configuration opened gets this configuration. A late
	// request of a replaced configuration must not change it back.
	if !a.cleaned {
		if err := opened.ring.Reconfigure(ctx, config); err != nil {
			return err
		}
	}
	rt.Ring = opened.ring
	rt.Tokens, err = token.New(token.Config{Ring: rt.Ring, Box: o.box, CacheBytes: a.Token.Cache})
	if err != nil {
		return err
	}
	o.releases = append(o.releases, func() error { rt.Tokens.Close(); return nil })
	return nil
}

func (o *opener) openPlatforms(context.Context) error {
	o.runtime.Platforms = make(map[auth.AppID]*wechat.Client)
	var shared tokenPlace
	if o.redis != nil {
		shared = tokenPlace{o.app.Store.key(), o.box.ID()}
	}
	for _, app := range o.app.MiniPrograms {
		key := platformKey{app.Key(), shared}
		opened, err := Acquire(platforms, key, &o.releases, func() (*pooledClient, error) {
			client, err := app.NewClient(o.tokenShare(key))
			return &pooledClient{client}, err
		})
		if err != nil {
			return fmt.Errorf("app %s: %w", app.ID(), err)
		}
		o.runtime.Platforms[app.ID()] = opened.client
	}
	return nil
}

// keysChanged records the signing keys that this process made or retired.
func (a *App) keysChanged(made, retired []auth.KeyID) {
	for _, id := range retired {
		a.record(audit.Event{Action: audit.KeyRetired, By: audit.Operator, Key: id, Outcome: audit.OK})
	}
	for _, id := range made {
		a.started.addMade(madeKey)
		a.record(audit.Event{Action: audit.KeyRotated, By: audit.Gateway, Key: id, Outcome: audit.OK})
	}
}

// close releases everything, last acquired first.
func (o *opener) close() error {
	var errs []error
	for _, release := range slices.Backward(o.releases) {
		errs = append(errs, release())
	}
	o.releases = nil
	return errors.Join(errs...)
}

// keyLocked warns that a session_key was locked: by an attack, or by a client
// that sends stale data in a loop.
func (o *opener) keyLocked(u auth.User, reset error) {
	fields := []zap.Field{
		zap.String("app", string(u.App)),
		zap.String("user_id", o.runtime.Tokens.Pseudonym(u)),
		zap.Bool("replaced", reset == nil),
	}
	if reset != nil && !errors.Is(reset, auth.ErrUnsupported) {
		fields = append(fields, zap.NamedError("cause", reset))
	}
	o.app.logger.Warn("session_key locked for 24h: too many attempts to decrypt data with it failed", fields...)
}
