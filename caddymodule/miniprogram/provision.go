package miniprogram

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/caddymodule/pushes"
	"github.com/wxgate/wxgate/caddymodule/secret"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechat/callback"
)

// Provision fills in defaults, and resolves and checks the values.
func (m *Config) Provision(repl *caddy.Replacer, logger *zap.Logger) error {
	var err error
	if m.id, err = ResolveID(repl, m.AppID); err != nil {
		return err
	}
	if err := m.provisionPlatform(repl); err != nil {
		return fmt.Errorf("app %s: %w", m.id, err)
	}
	if err := m.provisionSecret(repl, logger); err != nil {
		return fmt.Errorf("app %s: %w", m.id, err)
	}
	if err := m.provisionAPI(repl); err != nil {
		return fmt.Errorf("app %s: api %w", m.id, err)
	}
	if err := m.checkFormats(logger); err != nil {
		return fmt.Errorf("app %s: %w", m.id, err)
	}
	if err := m.provisionSecurity(repl, logger); err != nil {
		return fmt.Errorf("app %s: %w", m.id, err)
	}
	if err := m.provisionCallback(repl, logger); err != nil {
		return fmt.Errorf("app %s: %w", m.id, err)
	}
	if err := m.checkData(); err != nil {
		return fmt.Errorf("app %s: %w", m.id, err)
	}
	if err := m.provisionPhones(logger); err != nil {
		return fmt.Errorf("app %s: %w", m.id, err)
	}
	if err := m.provisionRisk(); err != nil {
		return fmt.Errorf("app %s: %w", m.id, err)
	}
	m.warnOfRawKeys(logger)
	if m.Watermark == nil {
		age := caddy.Duration(defaultWatermark)
		m.Watermark = &age
	}
	return nil
}

// provisionAPI resolves and checks the URL of the platform's API.
func (m *Config) provisionAPI(repl *caddy.Replacer) (err error) {
	m.api, m.container = "", false
	if m.API == "" {
		return nil
	}
	if m.api, err = secret.Resolve(repl, m.API); err != nil {
		return err
	}
	u, err := wechat.ParseURL(m.api, false)
	if err != nil {
		return errors.New("must be a URL such as https://api.weixin.qq.com")
	}
	m.container = strings.Trim(u.Path, "/") != "" && !strings.HasSuffix(u.Hostname(), ".weixin.qq.com")
	return secret.RefuseCleartext(u)
}

// ResolvedAPI returns the URL of the platform's API without a trailing slash; "" for the
// platform's host.
func (m *Config) ResolvedAPI() string { return strings.TrimSuffix(m.api, "/") }

// defaultWatermark is the default of [Config.Watermark].
const defaultWatermark = time.Hour

// checkData checks the session limit and the options about data that clients send.
func (m *Config) checkData() error {
	if m.RawSessionKey != "" {
		if err := checkRawKey(m.RawSessionKey); err != nil {
			return err
		}
	}
	if err := m.SessionLimit.check(); err != nil {
		return err
	}
	if m.EncryptedPhone != "" {
		return checkEncryptedPhone(m.EncryptedPhone)
	}
	return nil
}

func (l *SessionLimitConfig) check() error {
	if l != nil && (l.Sessions < 1 || l.Sessions > auth.MaxUserSessions) {
		return fmt.Errorf("session_limit %d: expected a number from 1 to %d", l.Sessions, auth.MaxUserSessions)
	}
	return nil
}

// provisionSecret resolves the credential of the gateway at the platform: the app's secret
// or a component's token.
func (m *Config) provisionSecret(repl *caddy.Replacer, logger *zap.Logger) error {
	var err error
	configured := m.Secret
	switch {
	case m.Component == nil:
		if m.secret, err = secret.Resolve(repl, m.Secret); err != nil {
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
	secret.WarnOfLiteral(logger, "a secret", configured, zap.String("app", string(m.id)))
	return nil
}

func (m *Config) provisionCallback(repl *caddy.Replacer, logger *zap.Logger) error {
	m.callback = nil
	if m.Callback == nil {
		return nil
	}
	var component auth.AppID
	if m.component != nil {
		component = m.component.AppID
	}
	secret.WarnOfLiteral(logger, "the callback token", m.Callback.Token, zap.String("app", string(m.id)))
	secret.WarnOfLiteral(logger, "the EncodingAESKey", m.Callback.EncodingAESKey, zap.String("app", string(m.id)))
	var err error
	m.callback, err = m.Callback.provision(repl, m.id, component)
	return err
}

var errSecretAndComponent = errors.New("secret and component are mutually exclusive; a third-party platform logs in without the secret")

func (c *ComponentConfig) resolve(repl *caddy.Replacer) (*wechat.Component, error) {
	id, err := ResolveID(repl, c.AppID)
	if err != nil {
		return nil, err
	}
	address, err := secret.Resolve(repl, c.TokenURL)
	if err != nil {
		return nil, fmt.Errorf("the token URL %w", err)
	}
	u, err := wechat.ParseURL(address, true)
	if err != nil {
		return nil, errors.New("the token URL must be a URL such as http://127.0.0.1:9100/component-token, without credentials")
	}
	if err := secret.RefuseCleartext(u); err != nil {
		return nil, fmt.Errorf("the token URL %w", err)
	}
	return &wechat.Component{AppID: id, TokenURL: address}, nil
}

// ResolveID expands and checks a configured appid.
func ResolveID(repl *caddy.Replacer, configured string) (auth.AppID, error) {
	value, err := secret.Resolve(repl, configured)
	if err != nil {
		return "", fmt.Errorf("app %q: the appid %w", configured, err)
	}
	if !auth.ValidID(value) {
		return "", fmt.Errorf("app %q: invalid appid; expected up to 64 letters, digits, underscores and hyphens", value)
	}
	return auth.AppID(value), nil
}

// provision resolves the values; component is empty for an app without a component.
func (c *CallbackConfig) provision(repl *caddy.Replacer, app, component auth.AppID) (*callback.Receiver, error) {
	config := callback.Config{AppID: app, Component: component}
	var err error
	if config.Token, err = secret.Resolve(repl, c.Token); err != nil {
		return nil, fmt.Errorf("callback: the token %w", err)
	}
	if c.EncodingAESKey != "" {
		if config.EncodingAESKey, err = secret.Resolve(repl, c.EncodingAESKey); err != nil {
			return nil, fmt.Errorf("callback: the EncodingAESKey %w", err)
		}
	}
	if len(c.Forward) > 0 && c.EncodingAESKey == "" {
		return nil, errForwardKey
	}
	if err := pushes.Provision(c.Forward, repl); err != nil {
		return nil, fmt.Errorf("callback: %w", err)
	}
	return callback.New(config)
}

// errForwardKey refuses to forward unencrypted messages: anyone who has seen one could forge
// others.
var errForwardKey = errors.New("forward requires an EncodingAESKey: write callback <token> <encoding-aes-key>")

// The values of `encrypted_phone`.
const (
	phoneVerified   = "verified"
	phoneChecked    = "checked"
	phoneUnverified = "unverified"
)

func checkEncryptedPhone(value string) error {
	if value != phoneVerified && value != phoneChecked && value != phoneUnverified {
		return fmt.Errorf("encrypted_phone %q: expected one of: %s, %s, %s", value, phoneVerified, phoneChecked, phoneUnverified)
	}
	return nil
}

// rawKeyInsecure is the only value of `raw_session_key`, so that the configuration states
// the danger.
const rawKeyInsecure = "insecure"

// checkRawKey checks the configured value of `raw_session_key`.
func checkRawKey(value string) error {
	if value != rawKeyInsecure {
		return fmt.Errorf("raw_session_key %q: write raw_session_key insecure, and only while old clients are being moved", value)
	}
	return nil
}

// warnOfRawKeys warns at every load, so that an operator does not forget the option after
// the migration.
func (m *Config) warnOfRawKeys(logger *zap.Logger) {
	if m.RawSessionKey != "" {
		logger.Warn("INSECURE: raw_session_key lets clients choose the key that their data is decrypted with, so that a client can forge any phone number; remove it once wxgate_raw_session_keys_total stops growing",
			zap.String("app", string(m.id)))
	}
}
