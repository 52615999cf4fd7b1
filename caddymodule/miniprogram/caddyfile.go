package miniprogram

import (
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/wxgate/wxgate/caddymodule/directive"
	"github.com/wxgate/wxgate/caddymodule/pushes"
	"github.com/wxgate/wxgate/internal/auth"
)

// UnmarshalOptions reads the block of one app; its grammar is above the app's
// parseGlobalOption.
func (m *Config) UnmarshalOptions(d *caddyfile.Dispenser) error {
	options := map[string]func() error{
		"platform":        func() error { return m.parsePlatform(d) },
		"kind":            func() error { return m.parseKind(d) },
		"secret":          func() error { return m.parseSecret(d) },
		"component":       func() error { return m.parseComponent(d) },
		"api_security":    func() error { return m.parseAPISecurity(d) },
		"callback":        func() error { return m.parseCallback(d) },
		"api":             directive.One(d, &m.API),
		"session_limit":   func() error { return m.parseSessionLimit(d) },
		"risk":            func() error { return m.parseRisk(d) },
		"watermark":       func() error { return m.parseWatermark(d) },
		"encrypted_phone": directive.Checked(d, &m.EncryptedPhone, checkEncryptedPhone),
		"raw_session_key": directive.Checked(d, &m.RawSessionKey, checkRawKey),
		"phone_budget":    directive.Checked(d, &m.PhoneBudget, checkBudget),
		"test_phone":      func() error { return m.parseTestPhone(d) },
	}
	for option, parse := range options { // check after each option, so that the error names its line
		options[option] = func() error {
			if err := parse(); err != nil {
				return err
			}
			if err := m.checkPlatform(); err != nil {
				return d.WrapErr(err)
			}
			return nil
		}
	}
	if err := (directive.Block{Dispenser: d, Options: options, Repeatable: map[string]bool{"test_phone": true}}).Parse(); err != nil {
		return err
	}
	if m.checkReply() != nil {
		return m.replyLine
	}
	return nil
}

func (m *Config) parsePlatform(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.ArgErr()
	}
	if err := directive.RefuseEmpty(d, args); err != nil {
		return err
	}
	m.Platform = args[0]
	if len(args) == 2 {
		m.MiniProgram = args[1]
	}
	return nil
}

func (m *Config) parseSecret(d *caddyfile.Dispenser) error {
	switch {
	case m.Secret != "":
		return d.Errf("app %s has two secrets", m.AppID)
	case m.Component != nil:
		return d.WrapErr(errSecretAndComponent)
	}
	return directive.One(d, &m.Secret)()
}

func (m *Config) parseComponent(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	switch {
	case len(args) != 2:
		return d.Err("write component <appid> <token-url>")
	case m.Secret != "":
		return d.WrapErr(errSecretAndComponent)
	}
	m.Component = &ComponentConfig{AppID: args[0], TokenURL: args[1]}
	return directive.RefuseEmpty(d, args)
}

func (m *Config) parseCallback(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 1 && len(args) != 2 {
		return d.Err("write callback <token> [<encoding-aes-key>]")
	}
	m.Callback = &CallbackConfig{Token: args[0]}
	if len(args) == 2 {
		m.Callback.EncodingAESKey = args[1]
	}
	if err := directive.RefuseEmpty(d, args); err != nil {
		return err
	}
	return directive.Block{Dispenser: d, Repeatable: map[string]bool{"forward": true}, Options: map[string]func() error{
		"forward": func() error {
			if err := pushes.Parse(d, &m.Callback.Forward); err != nil {
				return err
			}
			if m.Callback.EncodingAESKey == "" {
				return d.WrapErr(errForwardKey)
			}
			if m.replyLine == nil && pushes.Replies(m.Callback.Forward) {
				m.replyLine = d.WrapErr(errReplyKind) // kind may be below
			}
			return nil
		},
	}}.Parse()
}

func (m *Config) parseSessionLimit(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	perDevice := len(args) == 3 && args[1] == "per" && args[2] == "device"
	if len(args) != 1 && !perDevice {
		return d.Err("write session_limit <n> [per device]")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return d.Errf("session_limit %q: expected a number from 1 to %d", args[0], auth.MaxUserSessions)
	}
	m.SessionLimit = &SessionLimitConfig{Sessions: n, PerDevice: perDevice}
	if err := m.SessionLimit.check(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (m *Config) parseWatermark(d *caddyfile.Dispenser) error {
	var arg string
	if err := directive.One(d, &arg)(); err != nil {
		return err
	}
	age, err := directive.ParseDuration(d, arg)
	m.Watermark = (*caddy.Duration)(&age)
	return err
}
