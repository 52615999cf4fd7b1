// Package app is the app "wxgate" of Caddy: what all sites of a process share. It opens the
// stores, the signing keys and the clients of WeChat that the configuration names.
package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/caddymodule/events"
	"github.com/wxgate/wxgate/caddymodule/miniprogram"
	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/gateway/failures"
	"github.com/wxgate/wxgate/internal/token/signing"
)

func init() {
	caddy.RegisterModule(new(App))
}

// Name is the app's name in Caddy's JSON, and of the global option.
const Name = "wxgate"

// App is what all sites of a process share: the mini programs, the root secret, the
// store and the tokens.
type App struct {
	// The mini programs. At least one is required.
	MiniPrograms []*miniprogram.Config `json:"apps,omitempty"`

	// The root secret, at least 32 bytes, as a placeholder such as `{file.X}`. It
	// encrypts session keys, handles and signing keys. To rotate it, configure several:
	// the first encrypts, all of them decrypt. Default: generated at the first start and
	// kept in Caddy's storage.
	Secret []string `json:"secret,omitempty"`

	// The store of sessions; with redis also of signing keys, counters of limits, and
	// WeChat's access tokens. Default: one bbolt file in Caddy's data directory.
	Store *StoreConfig `json:"store,omitempty"`

	// The tokens. Default: EdDSA; access tokens live 1h, sessions 30d.
	Token *TokenConfig `json:"token,omitempty"`

	// A service that gets an event when a session or a user was ended or erased. Default:
	// no events; services learn of it from the next request.
	EventsTo *events.Config `json:"events_to,omitempty"`

	// Allows `wxgate token mint`, which makes tokens without a login, for tests of an
	// upstream. With `loopback`, `api` of every app must be on loopback. `insecure` allows
	// it beside real users: anyone who can call the admin API can then act as any of them.
	// Default: the command is refused, and so are tokens that were minted before.
	DevMode string `json:"dev_mode,omitempty"`

	// What sends requests to upstreams, in every `reverse_proxy` of a server with a
	// wxgate handler. `wxgate` sends requests without a body to plain HTTP/1.1 upstreams
	// itself, which takes less CPU time, and leaves all others to net/http. `standard`
	// leaves all of them to net/http, as Caddy without wxgate does. Default `wxgate`.
	Transport string `json:"transport,omitempty"`

	ctx     caddy.Context
	logger  *zap.Logger
	audit   *zap.Logger
	emitter *emitter
	secrets [][]byte // the configured root secrets; empty if the root secret is generated
	key     *signing.Key
	alg     signing.Alg

	guarded map[*caddyhttp.Server]struct{} // the servers with a wxgate handler

	browsers bool // a site serves browsers

	runtime  atomic.Pointer[gateway.Runtime] // nil before it was opened
	failures failures.Log                    // limits the log lines about failed requests
	started  started

	mu      sync.Mutex // guards the opening of the runtime, and the fields below
	openErr error      // why the last attempt failed
	retryAt time.Time
	cleaned bool
}

// CaddyModule returns the module's ID and constructor.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "wxgate", New: func() caddy.Module { return new(App) }}
}

// Find returns the app of a handler's configuration; who is the name of the handler, for
// the error. Caddy provisions an app when a handler first asks for it, so the error may be
// about anything in the global block.
func Find(ctx caddy.Context, who string) (*App, error) {
	app, err := ctx.AppIfConfigured(Name)
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil, fmt.Errorf("%s needs the global wxgate block: %w", who, errNoApps)
	}
	if err != nil {
		return nil, err
	}
	found := app.(*App)
	found.started.use()
	return found, nil
}

// Provision resolves and checks the configuration. It opens no file and creates
// no key, because `wxgate validate` calls it beside a running gateway.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	a.logger = ctx.Logger()
	a.audit = audit.Unsampled(a.logger.Named("audit"))
	var err error
	if a.emitter, err = newEmitter(ctx, a.logger); err != nil {
		return err
	}
	warnOfDebug(ctx, a.logger)
	lines := origins.take()
	repl := caddy.NewReplacer()
	if err := a.provisionApps(repl, lines); err != nil {
		return err
	}
	if err := a.checkDevMode(lines); err != nil {
		return err
	}
	for _, provision := range []func(*caddy.Replacer) error{a.provisionSecrets, a.provisionKey, a.provisionEvents, a.provisionStore} {
		if err := provision(repl); err != nil {
			return at(lines, "", err)
		}
	}
	if err := a.provisionForwards(lines); err != nil {
		return err
	}
	return registerMetrics(ctx)
}

// provisionApps fills in defaults, and resolves and checks the mini programs;
// lines are their lines in the Caddyfile, if known.
func (a *App) provisionApps(repl *caddy.Replacer, lines map[string]string) error {
	if err := a.complete(); err != nil {
		return at(lines, "", err)
	}
	seen := make(map[auth.AppID]bool, len(a.MiniPrograms))
	for _, app := range a.MiniPrograms {
		if err := app.Provision(repl, a.logger); err != nil {
			return at(lines, app.AppID, err)
		}
		if seen[app.ID()] {
			return at(lines, app.AppID, fmt.Errorf("duplicate app %s", app.ID()))
		}
		seen[app.ID()] = true
	}
	return nil
}

// AuditLogger is the logger `wxgate.audit`, which Caddy's `log` option sends where the
// operator wants.
func (a *App) AuditLogger() *zap.Logger { return a.audit }

// record writes the audit line of an event, and emits the event.
func (a *App) record(e audit.Event) {
	audit.Write(a.audit, e)
	a.emitter.add(e)
}

// Start opens the runtime. A handler may have done so already: Caddy starts apps
// in random order, and the servers may be first.
func (a *App) Start() error {
	rt, err := a.Acquire()
	if err != nil {
		return err
	}
	defer rt.Release()
	signer, err := rt.Ring.Signer(time.Now())
	if err != nil {
		return err
	}
	a.logStart(signer.ID())
	return nil
}

// Stop leaves the runtime open: the servers may be stopped later and still have
// requests to finish. Cleanup releases it.
func (*App) Stop() error { return nil }

// Acquire returns the runtime for one request, and opens it if it is not open. The
// caller releases it. Requests hold it because Caddy does not wait for them: on a
// reload the old configuration is cleaned up while its servers still finish requests,
// and may even begin requests that they had read.
func (a *App) Acquire() (*gateway.Runtime, error) {
	if rt := a.runtime.Load(); rt != nil && rt.Acquire() {
		return rt, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if rt := a.runtime.Load(); rt != nil && rt.Acquire() {
		return rt, nil
	}
	if time.Now().Before(a.retryAt) {
		return nil, a.openErr // many requests must not cause many attempts
	}
	// Not a child of the configuration's context, which ends before its requests.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), openTimeout)
	defer cancel()
	rt, err := openRuntime(ctx, a)
	if err != nil {
		if !errors.Is(err, auth.ErrStoreUnavailable) {
			err = fmt.Errorf("%w: %w", auth.ErrStoreUnavailable, err)
		}
		a.openErr, a.retryAt = err, time.Now().Add(reopenInterval)
		return nil, err
	}
	if !a.cleaned {
		rt.Acquire() // for the configuration itself, until Cleanup
	}
	a.runtime.Store(rt)
	return rt, nil
}

const (
	// openTimeout bounds the opening of the store and the key ring: a reload that cannot
	// open them fails while the operator waits for it.
	openTimeout = 15 * time.Second
	// reopenInterval is how long a failure to open is returned without another attempt.
	reopenInterval = time.Second
)

// Cleanup releases the configuration's reference to the runtime. The last request that uses
// the runtime closes it, with everything that no other configuration shares.
func (a *App) Cleanup() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cleaned {
		return nil
	}
	a.cleaned = true
	a.failures.Close()
	if rt := a.runtime.Load(); rt != nil {
		rt.Release()
	}
	return nil
}

var errNoApps = errors.New("no mini program is configured; add wxgate { app <appid> {env.WX_SECRET} } to the global options")

// complete fills in defaults and refuses a configuration that cannot work.
func (a *App) complete() error {
	if len(a.MiniPrograms) == 0 {
		return errNoApps
	}
	if a.Store == nil {
		a.Store = new(StoreConfig)
	}
	if err := a.Store.complete(); err != nil {
		return err
	}
	if a.Token == nil {
		a.Token = new(TokenConfig)
	}
	if err := a.Token.complete(); err != nil {
		return err
	}
	if a.Transport == "" {
		a.Transport = transportWxgate
	}
	return checkTransport(a.Transport)
}

const (
	transportWxgate   = "wxgate"
	transportStandard = "standard"
)

func checkTransport(name string) error {
	if name != transportWxgate && name != transportStandard {
		return fmt.Errorf("unrecognized transport %q; expected one of: wxgate, standard", name)
	}
	return nil
}

// StandardTransport reports whether net/http sends all requests to upstreams.
func (a *App) StandardTransport() bool { return a.Transport == transportStandard }

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
