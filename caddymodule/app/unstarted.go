package app

import (
	"errors"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/caddymodule/redisstore"
)

// Resolve is Provision for a command that starts no gateway: it fills in defaults, and resolves
// the root secrets and the settings of the store.
func (a *App) Resolve() error {
	a.logger = caddy.Log()
	repl := caddy.NewReplacer()
	return errors.Join(a.complete(), a.provisionSecrets(repl), a.provisionStore(repl))
}

// ResolveApps resolves the mini programs, after [App.Resolve].
func (a *App) ResolveApps() error { return a.provisionApps(caddy.NewReplacer(), nil) }

// RootSecrets returns the configured root secrets, resolved; nil if the root secret is generated.
func (a *App) RootSecrets() [][]byte { return a.secrets }

// Opening returns how to connect to Redis; nil for another store.
func (s *StoreConfig) Opening() *redisstore.Opening { return s.opening }
