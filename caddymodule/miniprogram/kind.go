package miniprogram

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/wxgate/wxgate/caddymodule/directive"
	"github.com/wxgate/wxgate/caddymodule/pushes"
	"github.com/wxgate/wxgate/internal/wechat"
)

// ResolvedKind returns the app's kind; "" for a mini program.
func (m *Config) ResolvedKind() wechat.Kind { return wechat.Kind(m.Kind) }

// parseKind reads `kind official|website`.
func (m *Config) parseKind(d *caddyfile.Dispenser) error {
	return directive.Checked(d, &m.Kind, checkKindName)()
}

func checkKindName(name string) error {
	if kind := wechat.Kind(name); kind != wechat.Official && kind != wechat.Website {
		return fmt.Errorf("unrecognized kind %q; expected one of: %s, %s", name, wechat.Official, wechat.Website)
	}
	return nil
}

// checkKind refuses options that have no effect on apps of a kind, so that no operator relies
// on them.
func (m *Config) checkKind(platform wechat.Platform) error {
	if m.Kind == "" {
		return nil
	}
	if err := checkKindName(m.Kind); err != nil {
		return err
	}
	switch {
	case platform != wechat.WeChat:
		return fmt.Errorf("kind %s is only supported on platform wechat, not %s", m.Kind, platform)
	case m.Component != nil:
		return fmt.Errorf("kind %s requires the app's secret, not a component", m.Kind)
	}
	website := m.ResolvedKind() == wechat.Website
	for _, option := range []struct {
		name string
		has  bool
	}{
		{"risk", m.Risk != nil},
		{"phone_budget", m.PhoneBudget != ""},
		{"encrypted_phone", m.EncryptedPhone != ""},
		{"test_phone", m.TestPhones != nil},
		{"raw_session_key", m.RawSessionKey != ""},
		{"watermark", m.Watermark != nil},
		{"callback", website && m.Callback != nil},
		{"api_security", website && m.APISecurity != nil},
	} {
		if option.has {
			return fmt.Errorf("%s is not supported for kind %s", option.name, m.Kind)
		}
	}
	return nil
}

// errReplyKind refuses a reply that no user would see.
var errReplyKind = errors.New("reply requires kind official: WeChat shows passive replies of service accounts only, not of mini programs")

// checkReply refuses the option reply of apps other than service accounts.
func (m *Config) checkReply() error {
	if m.ResolvedKind() != wechat.Official && pushes.Replies(m.Forwards()) {
		return errReplyKind
	}
	return nil
}
