package miniprogram

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/caddymodule/directive"
	"github.com/wxgate/wxgate/caddymodule/secret"
	"github.com/wxgate/wxgate/internal/wechat/apisecurity"
)

// APISecurityConfig has the keys of a mini program's API security (API 安全), from its console
// on mp.weixin.qq.com.
type APISecurityConfig struct {
	// The symmetric key (API 对称密钥), an AES-256 key in base64. Required.
	Encrypt *SecurityKeyConfig `json:"encrypt,omitempty"`
	// The mini program's private key (API 非对称密钥), an RSA key in PEM. Required.
	Sign *SecurityKeyConfig `json:"sign,omitempty"`
	// WeChat's certificates (开放平台证书) or public keys, RSA in PEM. At least one is
	// required; two during a change of certificates.
	Verify []SecurityKeyConfig `json:"verify,omitempty"`
	// Paths of further calls that are encrypted, exactly, such as
	// `/cgi-bin/express/intracity/addorder`. Default: the calls that WeChat documents.
	Calls []string `json:"calls,omitempty"`
	// Paths of documented calls that are sent plain. Their responses are not verified.
	// Default: none.
	Plain []string `json:"plain,omitempty"`
}

// SecurityKeyConfig is a key with its serial number.
type SecurityKeyConfig struct {
	// The number that WeChat's console shows beside the key (密钥编号, 证书编号), which is
	// not the serial number inside a certificate. Required.
	Serial string `json:"serial"`
	// The key, as a placeholder such as `{file.X}`. Required.
	Value string `json:"value"`
}

func (m *Config) parseAPISecurity(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	c := new(APISecurityConfig)
	m.APISecurity = c
	one := func(into **SecurityKeyConfig) func() error {
		return func() (err error) {
			*into, err = parseSecurityKey(d)
			return err
		}
	}
	err := directive.Block{Dispenser: d, Repeatable: map[string]bool{"verify": true}, Options: map[string]func() error{
		"encrypt": one(&c.Encrypt),
		"sign":    one(&c.Sign),
		"verify": func() error {
			key, err := parseSecurityKey(d)
			if err == nil {
				c.Verify = append(c.Verify, *key)
			}
			return err
		},
		"calls": parseCalls(d, &c.Calls, c),
		"plain": parseCalls(d, &c.Plain, c),
	}}.Parse()
	if err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func parseSecurityKey(d *caddyfile.Dispenser) (*SecurityKeyConfig, error) {
	option, args := d.Val(), d.RemainingArgs()
	if len(args) != 2 {
		return nil, d.Errf("write %s <serial> <value>", option)
	}
	return &SecurityKeyConfig{Serial: args[0], Value: args[1]}, directive.RefuseEmpty(d, args)
}

// parseCalls reads paths of calls. The error for an invalid path names its line.
func parseCalls(d *caddyfile.Dispenser, into *[]string, c *APISecurityConfig) func() error {
	return func() error {
		if err := directive.Many(d, into)(); err != nil {
			return err
		}
		if err := apisecurity.CheckCalls(c.Calls, c.Plain); err != nil {
			return d.WrapErr(err)
		}
		return nil
	}
}

// check returns an error if a required key is missing.
func (c *APISecurityConfig) check() error {
	if c.Encrypt == nil || c.Sign == nil || len(c.Verify) == 0 {
		return errors.New("api_security requires encrypt, sign and verify, each with the serial and the key of WeChat's console")
	}
	return nil
}

// expiryNotice is how long before a certificate expires a load warns. During the change, WeChat
// also signs with the next certificate.
const expiryNotice = 30 * 24 * time.Hour

func (m *Config) provisionSecurity(repl *caddy.Replacer, logger *zap.Logger) error {
	m.security, m.securityKey = nil, [sha256.Size]byte{}
	c := m.APISecurity
	if c == nil {
		return nil
	}
	if err := c.check(); err != nil {
		return err
	}
	secret.WarnOfLiteral(logger, "the symmetric key", c.Encrypt.Value, zap.String("app", string(m.id)))
	secret.WarnOfLiteral(logger, "the private key", c.Sign.Value, zap.String("app", string(m.id)))
	cfg := apisecurity.Config{AppID: string(m.id), Calls: c.Calls, Plain: c.Plain}
	identity := []string{strings.Join(c.Calls, " "), strings.Join(c.Plain, " ")}
	resolve := func(option string, key SecurityKeyConfig) (resolved apisecurity.Key, err error) {
		if resolved.Serial, err = secret.Resolve(repl, key.Serial); err != nil {
			return resolved, fmt.Errorf("api_security: the serial of %s %w", option, err)
		}
		if resolved.Value, err = secret.Resolve(repl, key.Value); err != nil {
			return resolved, fmt.Errorf("api_security: the key of %s %w", option, err)
		}
		identity = append(identity, resolved.Serial, resolved.Value)
		return resolved, nil
	}
	var err error
	if cfg.Encrypt, err = resolve("encrypt", *c.Encrypt); err != nil {
		return err
	}
	if cfg.Sign, err = resolve("sign", *c.Sign); err != nil {
		return err
	}
	for _, key := range c.Verify {
		resolved, err := resolve("verify", key)
		if err != nil {
			return err
		}
		cfg.Verify = append(cfg.Verify, resolved)
	}
	if m.security, err = apisecurity.New(cfg); err != nil {
		return fmt.Errorf("api_security: %w", err)
	}
	m.securityKey = secret.Hash(identity...)
	if serial, at, ok := m.security.Expires(); ok && time.Until(at) < expiryNotice {
		logger.Warn("a certificate of api_security expires soon; download the new one from WeChat's console and add it with verify",
			zap.String("app", string(m.id)), zap.String("serial", serial), zap.Time("expires", at))
	}
	return nil
}
