package app

import (
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/caddymodule/storage"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/version"
)

// What the line at the start says of something that was just made.
const (
	madeSecret = "the root secret, " + storage.SecretName + " in Caddy's storage: back it up; without it the sessions and signing keys cannot be read"
	madeKey    = "a signing key, in Caddy's storage or in Redis"
)

// started is what the line at the start says.
type started struct {
	mu    sync.Mutex
	used  bool // a handler of some site asked for the app
	sites []string
	made  []string
}

func (s *started) use() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
}

func (s *started) addSite(server *caddyhttp.Server, call string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sites = append(s.sites, strings.Join(server.Listen, ",")+" "+call)
}

func (s *started) addMade(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made = append(s.made, what)
}

// AddSite adds a handler of a server to the line at the start: the prefix of its login API,
// or the name of the handler if it has none.
func (a *App) AddSite(server *caddyhttp.Server, prefix string) { a.started.addSite(server, prefix) }

// logStart says in one line what runs, so that an operator sees a wrong file, a wrong store
// or a missing site at once, and what must be kept.
func (a *App) logStart(signer auth.KeyID) {
	apps := make([]string, 0, len(a.MiniPrograms))
	for _, m := range a.MiniPrograms {
		apps = append(apps, string(m.ID()))
	}
	a.started.mu.Lock()
	defer a.started.mu.Unlock()
	slices.Sort(a.started.sites)
	a.logger.Info("wxgate started",
		zap.String("version", version.String()),
		zap.Strings("apps", apps),
		zap.Strings("sites", slices.Compact(a.started.sites)),
		zap.String("store", a.Store.where()),
		zap.String("signing_key", string(signer)),
		zap.Strings("made", a.started.made),
	)
	a.started.made = nil
	if !a.started.used {
		a.logger.Warn("no site uses wxgate, so no request is checked; write the directive wxgate in the site, beside reverse_proxy")
	}
}

// where names the store without its credentials.
func (s *StoreConfig) where() string {
	switch s.Kind {
	case StoreRedis:
		return s.Kind + " " + strings.Join(s.opening.Config.Addresses, " ")
	case StoreMemory:
		return s.Kind
	}
	return s.Kind + " " + s.Path
}
