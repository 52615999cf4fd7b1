package caddymodule

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
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/wechat"
)

const (
	storeBolt   = "bolt"
	storeRedis  = "redis"
	storeMemory = "memory"

	defaultIssuer    = "wxgate"
	defaultAccess    = time.Hour
	defaultRefresh   = 30 * 24 * time.Hour
	defaultIdle      = 7 * 24 * time.Hour
	defaultRotate    = 30 * 24 * time.Hour
	defaultWatermark = time.Hour
)

func (s *StoreConfig) complete() error {
	if s.Kind == "" {
		s.Kind = storeBolt
	}
	switch {
	case !slices.Contains([]string{storeBolt, storeRedis, storeMemory}, s.Kind):
		return fmt.Errorf("unrecognized store %q; expected one of: bolt, redis, memory", s.Kind)
	case s.Kind != storeBolt && s.Path != "":
		return fmt.Errorf("store %s takes no path", s.Kind)
	case (s.Kind == storeRedis) != (s.Redis != nil):
		return errors.New("redis settings are required with store redis and not allowed with another store")
	case s.Kind == storeRedis:
		return s.Redis.check()
	case s.Kind == storeMemory:
		return nil
	}
	if s.Path == "" {
		s.Path = filepath.Join(caddy.AppDataDir(), "wxgate", "wxgate.db")
	}
	path, err := filepath.Abs(s.Path)
	if err != nil {
		return fmt.Errorf("store bolt %s: %w", s.Path, err)
	}
	s.Path = path // one file has one name, so that a reload finds it open
	return checkBoltPath(path)
}

// checkBoltPath refuses a folder in place of the file, and a file in a folder that
// does not exist: it is misspelled, or a volume that is not mounted, where sessions
// would be lost with the container. Caddy's own data folder is made when needed.
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
	if t.Access > t.Refresh {
		return fmt.Errorf("token: access %s is longer than refresh %s: an access token would outlive its session",
			time.Duration(t.Access), time.Duration(t.Refresh))
	}
	if t.Idle > t.Refresh {
		t.Idle = t.Refresh // a session that ends cannot idle on
	}
	return nil
}

// provision resolves and checks one mini program.
func (m *MiniProgram) provision(repl *caddy.Replacer, logger *zap.Logger) error {
	var err error
	if m.id, err = resolveAppID(repl, m.AppID); err != nil {
		return err
	}
	if err := m.provisionPlatform(repl); err != nil {
		return fmt.Errorf("app %s: %w", m.id, err)
	}
	if err := m.provisionSecret(repl, logger); err != nil {
		return fmt.Errorf("app %s: %w", m.id, err)
	}
	if err := m.checkFormats(logger); err != nil {
		return fmt.Errorf("app %s: %w", m.id, err)
	}
	if err := m.provisionCallback(repl, logger); err != nil {
		return fmt.Errorf("app %s: %w", m.id, err)
	}
	if m.API != "" {
		if m.api, err = resolve(repl, m.API); err != nil {
			return fmt.Errorf("app %s: api %w", m.id, err)
		}
		u, err := wechat.ParseURL(m.api, false)
		if err != nil {
			return fmt.Errorf("app %s: api must be a URL such as https://api.weixin.qq.com", m.id)
		}
		if err := refuseCleartext(u); err != nil {
			return fmt.Errorf("app %s: api %w", m.id, err)
		}
	}
	if err := m.checkData(); err != nil {
		return fmt.Errorf("app %s: %w", m.id, err)
	}
	m.warnOfRawKeys(logger)
	if m.Watermark == nil {
		age := caddy.Duration(defaultWatermark)
		m.Watermark = &age
	}
	return nil
}

// checkData checks what the app says of the data that clients bring.
func (m *MiniProgram) checkData() error {
	if m.RawSessionKey != "" {
		if err := checkRawKey(m.RawSessionKey); err != nil {
			return err
		}
	}
	if m.EncryptedPhone != "" {
		return checkEncryptedPhone(m.EncryptedPhone)
	}
	return nil
}

// provisionSecret resolves what proves to the platform who asks: the app's secret
// or a component's token.
func (m *MiniProgram) provisionSecret(repl *caddy.Replacer, logger *zap.Logger) error {
	var err error
	configured := m.Secret
	switch {
	case m.Component == nil:
		if m.secret, err = resolve(repl, m.Secret); err != nil {
			return fmt.Errorf("secret %w", err)
		}
	case m.Secret != "":
		return errSecretAndComponent
	default:
		if m.component, err = m.Component.resolve(repl); err != nil {
			return fmt.Errorf("component: %w", err)
		}
		if configured = m.Component.TokenURL; !strings.Contains(configured, "?") {
			return nil // no credential in it
		}
	}
	warnOfLiteral(logger, "a secret", configured, zap.String("app", string(m.id)))
	return nil
}

func (m *MiniProgram) provisionCallback(repl *caddy.Replacer, logger *zap.Logger) error {
	m.callback = nil
	if m.Callback == nil {
		return nil
	}
	var component auth.AppID
	if m.component != nil {
		component = m.component.AppID
	}
	warnOfLiteral(logger, "the callback token", m.Callback.Token, zap.String("app", string(m.id)))
	warnOfLiteral(logger, "the EncodingAESKey", m.Callback.EncodingAESKey, zap.String("app", string(m.id)))
	var err error
	m.callback, err = m.Callback.provision(repl, m.id, component)
	return err
}

var errSecretAndComponent = errors.New("secret and component are mutually exclusive; a third-party platform logs in without the secret")

func (c *ComponentConfig) resolve(repl *caddy.Replacer) (*wechat.Component, error) {
	id, err := resolveAppID(repl, c.AppID)
	if err != nil {
		return nil, err
	}
	address, err := resolve(repl, c.TokenURL)
	if err != nil {
		return nil, fmt.Errorf("the token URL %w", err)
	}
	u, err := wechat.ParseURL(address, true)
	if err != nil {
		return nil, errors.New("the token URL must be a URL such as http://127.0.0.1:9100/component-token, without credentials")
	}
	if err := refuseCleartext(u); err != nil {
		return nil, fmt.Errorf("the token URL %w", err)
	}
	return &wechat.Component{AppID: id, TokenURL: address}, nil
}

// resolveAppID expands and checks a configured appid.
func resolveAppID(repl *caddy.Replacer, configured string) (auth.AppID, error) {
	value, err := resolve(repl, configured)
	if err != nil {
		return "", fmt.Errorf("app %q: the appid %w", configured, err)
	}
	if !auth.ValidID(value) {
		return "", fmt.Errorf("app %q: invalid appid; expected up to 64 letters, digits, underscores and hyphens", value)
	}
	return auth.AppID(value), nil
}

// provisionSecrets resolves the root secrets.
func (a *App) provisionSecrets(repl *caddy.Replacer) error {
	a.secrets = nil
	for _, configured := range a.Secret {
		secret, err := resolve(repl, configured)
		if err != nil {
			return fmt.Errorf("the root secret %w", err)
		}
		warnOfLiteral(a.logger, "the root secret", configured)
		a.secrets = append(a.secrets, []byte(secret))
	}
	if len(a.secrets) == 0 {
		return nil // made or found when the state is opened
	}
	_, err := seal.New(a.secrets...)
	return err
}

// provisionStore resolves what is needed to open Redis, and opens nothing.
func (a *App) provisionStore(repl *caddy.Replacer) (err error) {
	a.Store.redis = nil
	if a.Store.Kind == storeRedis {
		a.Store.redis, err = a.Store.Redis.resolve(repl, a.logger)
	}
	return err
}

// provisionKey reads the algorithm and the configured signing key.
func (a *App) provisionKey(repl *caddy.Replacer) error {
	a.alg = token.EdDSA
	var err error
	if a.Token.Alg != "" {
		if a.alg, err = token.ParseAlg(a.Token.Alg); err != nil {
			return fmt.Errorf("token: %w", err)
		}
	}
	if a.Token.Key == "" {
		return nil
	}
	text, err := resolve(repl, a.Token.Key)
	if err != nil {
		return fmt.Errorf("token: key %w", err)
	}
	warnOfLiteral(a.logger, "the signing key", a.Token.Key)
	if a.key, err = token.ParseKey(a.alg, []byte(text)); err != nil {
		return fmt.Errorf("token: key: %w", err)
	}
	return nil
}

// checkAssertion refuses an assertion that could not be signed, so that the
// first request does not find out.
func (a *App) checkAssertion(audience string) error {
	switch {
	case audience == "":
		return nil
	case !a.alg.Public():
		return fmt.Errorf("the assertion header requires a public-key algorithm, not %s; set token alg to EdDSA, ES256 or RS256", a.alg)
	case slices.Contains(a.Token.Audience, audience):
		return fmt.Errorf("the assertion header: audience %q is also the audience of access tokens; use a separate one for the upstream", audience)
	}
	return nil
}
