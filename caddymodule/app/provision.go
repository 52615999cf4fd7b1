package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wxgate/wxgate/caddymodule/secret"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/signing"
)

// The kinds of stores.
const (
	StoreBolt   = "bolt"
	StoreRedis  = "redis"
	StoreMemory = "memory"
)

const (
	defaultIssuer  = "wxgate"
	defaultAccess  = time.Hour
	defaultRefresh = 30 * 24 * time.Hour
	defaultIdle    = 7 * 24 * time.Hour
	defaultRotate  = 30 * 24 * time.Hour
)

func (s *StoreConfig) complete() error {
	if s.Kind == "" {
		s.Kind = StoreBolt
	}
	switch {
	case !slices.Contains([]string{StoreBolt, StoreRedis, StoreMemory}, s.Kind):
		return fmt.Errorf("unrecognized store %q; expected one of: bolt, redis, memory", s.Kind)
	case s.Kind != StoreBolt && s.Path != "":
		return fmt.Errorf("store %s takes no path", s.Kind)
	case (s.Kind == StoreRedis) != (s.Redis != nil):
		return errors.New("redis settings are required with store redis and not allowed with another store")
	case s.Kind == StoreRedis:
		return s.Redis.Check()
	case s.Kind == StoreMemory:
		return nil
	}
	if s.Path == "" {
		s.Path = filepath.Join(caddy.AppDataDir(), "wxgate", "wxgate.db")
	}
	path, err := filepath.Abs(s.Path)
	if err != nil {
		return fmt.Errorf("store bolt %s: %w", s.Path, err)
	}
	s.Path = path // an absolute path is one key of the pool, so that a reload finds the file open
	return checkBoltPath(path)
}

// BoltPath returns the file of store bolt as an absolute path; an empty path is the default.
func BoltPath(path string) (string, error) {
	cfg := StoreConfig{Kind: StoreBolt, Path: path}
	err := cfg.complete()
	return cfg.Path, err
}

// checkBoltPath refuses a directory in place of the file, and a file in a directory that
// does not exist: the path is misspelled, or a volume is not mounted, and sessions would
// be lost with the container. Caddy's data directory is created when it is needed.
func checkBoltPath(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("store bolt %s is a directory: name a file in it, such as %s", path, filepath.Join(path, "wxgate.db"))
	}
	dir := filepath.Dir(path)
	data, err := filepath.Abs(caddy.AppDataDir())
	if err == nil && (dir == data || strings.HasPrefix(dir, data+string(filepath.Separator))) {
		return nil
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store bolt %s: the folder %s does not exist: create it, or fix the path", path, dir)
	}
	return nil
}

func (t *TokenConfig) complete() error {
	if t.Issuer == "" {
		t.Issuer = defaultIssuer
	}
	if len(t.Audience) == 0 {
		t.Audience = []string{t.Issuer}
	}
	for _, d := range []struct {
		into     *caddy.Duration
		fallback time.Duration
	}{{&t.Access, defaultAccess}, {&t.Refresh, defaultRefresh}, {&t.Idle, defaultIdle}, {&t.Rotate, defaultRotate}} {
		if *d.into == 0 {
			*d.into = caddy.Duration(d.fallback)
		}
		if *d.into < caddy.Duration(time.Second) {
			return fmt.Errorf("token: %s is too short; the minimum is 1s", time.Duration(*d.into))
		}
	}
	if t.Cache == 0 {
		t.Cache = token.DefaultCacheBytes
	}
	if t.Cache < token.MinCacheBytes {
		return fmt.Errorf("token: a cache of %d bytes is too small; the minimum is 1MiB", t.Cache)
	}
	if t.Access > t.Refresh {
		return fmt.Errorf("token: access %s is longer than refresh %s: an access token would outlive its session",
			time.Duration(t.Access), time.Duration(t.Refresh))
	}
	if t.Idle > t.Refresh {
		t.Idle = t.Refresh // a session cannot be idle for longer than it lives
	}
	return nil
}

// provisionSecrets resolves the root secrets.
func (a *App) provisionSecrets(repl *caddy.Replacer) error {
	a.secrets = nil
	for _, configured := range a.Secret {
		value, err := secret.Resolve(repl, configured)
		if err != nil {
			return fmt.Errorf("the root secret %w", err)
		}
		secret.WarnOfLiteral(a.logger, "the root secret", configured)
		a.secrets = append(a.secrets, []byte(value))
	}
	if len(a.secrets) == 0 {
		return nil // created or loaded when the runtime is opened
	}
	_, err := seal.New(a.secrets...)
	return err
}

// provisionStore resolves the settings of Redis, and opens nothing.
func (a *App) provisionStore(repl *caddy.Replacer) (err error) {
	a.Store.opening = nil
	if a.Store.Kind == StoreRedis {
		a.Store.opening, err = a.Store.Redis.Resolve(repl, a.logger)
	}
	return err
}

// provisionKey reads the algorithm and the configured signing key.
func (a *App) provisionKey(repl *caddy.Replacer) error {
	a.alg = signing.EdDSA
	var err error
	if a.Token.Alg != "" {
		if a.alg, err = signing.ParseAlg(a.Token.Alg); err != nil {
			return fmt.Errorf("token: %w", err)
		}
	}
	if a.Token.Key == "" {
		return nil
	}
	text, err := secret.Resolve(repl, a.Token.Key)
	if err != nil {
		return fmt.Errorf("token: key %w", err)
	}
	secret.WarnOfLiteral(a.logger, "the signing key", a.Token.Key)
	if a.key, err = signing.ParseKey(a.alg, []byte(text)); err != nil {
		return fmt.Errorf("token: key: %w", err)
	}
	return nil
}

// warnOfDebug warns that handlers log requests with their headers at DEBUG. It cannot find
// out whether a filter deletes the identity.
func warnOfDebug(ctx caddy.Context, logger *zap.Logger) {
	if ctx.Logger(new(rewrite.Rewrite)).Core().Enabled(zapcore.DebugLevel) {
		logger.Warn("at level DEBUG handlers behind wxgate, rewrite and php_fastcgi among them, log identity headers, unless a filter deletes request>headers>X-Wx-Openid and its like: see SECURITY.md")
	}
}
