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

// What the start line reports about something that was just created.
const (
	madeSecret = "the root secret, " + storage.SecretName + " in Caddy's storage: back it up; without it the sessions and signing keys cannot be read"
	madeKey    = "a signing key, in Caddy's storage or in Redis"
)

// started collects the content of the start line, the log line "wxgate started".
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

// AddSite adds a handler of a server to the start line: the prefix of its login API, or the
// name of the handler if it has no login API.
func (a *App) AddSite(server *caddyhttp.Server, prefix string) { a.started.addSite(server, prefix) }

// logStart logs in one line what runs and what must be backed up, so that an operator notices
// a wrong file, a wrong store or a missing site at once.
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
