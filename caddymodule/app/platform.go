package app

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

// parsedPlatform returns the configured platform.
func (m *MiniProgram) parsedPlatform() (wechat.Platform, error) {
	platform := wechat.Platform(m.Platform)
	if m.Platform == "" {
		platform = wechat.WeChat
	}
	if !slices.Contains(wechat.Platforms(), platform) {
		var names []string
		for _, known := range wechat.Platforms() {
			names = append(names, string(known))
		}
		return "", fmt.Errorf("unrecognized platform %q; expected one of: %s", m.Platform, strings.Join(names, ", "))
	}
	if m.MiniProgram != "" && platform != wechat.WeCom {
		return "", fmt.Errorf("platform %s takes one appid; only wecom has a second", platform)
	}
	return platform, nil
}

// checkPlatform refuses options that the platform does not have, so that no operator
// relies on an option without effect.
func (m *MiniProgram) checkPlatform() error {
	platform, err := m.parsedPlatform()
	if err != nil {
		return err
	}
	checked := m.EncryptedPhone == phoneChecked
	if platform == wechat.WeChat {
		if checked && m.Component != nil {
			return errors.New("encrypted_phone checked requires the app's secret: a component has no access token of the app")
		}
		return nil
	}
	switch {
	case checked:
		return fmt.Errorf("encrypted_phone checked is only supported on platform wechat, not %s", platform)
	case m.Component != nil:
		return fmt.Errorf("component is only supported on platform wechat, not %s", platform)
	case m.Callback != nil:
		return fmt.Errorf("callback is only supported on platform wechat, not %s", platform)
	case m.RawSessionKey != "":
		return fmt.Errorf("raw_session_key is only supported on platform wechat, not %s", platform)
	case m.Watermark != nil && platform == wechat.Kuaishou:
		return fmt.Errorf("watermark is not supported on platform %s: its data has none", platform)
	}
	return nil
}

func (m *MiniProgram) provisionPlatform(repl *caddy.Replacer) error {
	if err := m.checkPlatform(); err != nil {
		return err
	}
	var err error
	if m.platform, err = m.parsedPlatform(); err != nil || m.MiniProgram == "" {
		return err
	}
	m.miniProgram, err = resolveAppID(repl, m.MiniProgram)
	return err
}

// WeChat's formats are known: an appid is wx and 16 hexadecimal digits, an AppSecret
// 32 hexadecimal digits. Those of the other platforms were observed, not documented.
var (
	weixinAppID  = regexp.MustCompile(`^wx[0-9a-f]{16}$`)
	weixinSecret = regexp.MustCompile(`^[0-9a-fA-F]{32}$`)

	observedAppIDs = map[wechat.Platform]*regexp.Regexp{
		wechat.QQ:          regexp.MustCompile(`^[0-9]+$`),
		wechat.Douyin:      regexp.MustCompile(`^tt`),
		wechat.Kuaishou:    regexp.MustCompile(`^ks`),
		wechat.Xiaohongshu: regexp.MustCompile(`^[0-9a-f]{24}$`),
		wechat.WeCom:       regexp.MustCompile(`^(ww|wx)[0-9a-f]{16}$`),
	}

	errAppIDFormat  = errors.New("the appid does not have WeChat's format: wx and 16 hexadecimal digits, in lower case")
	errSecretFormat = errors.New("the secret does not have the format of WeChat's AppSecret: 32 hexadecimal digits")
)

// shortSecret is the length below which a secret of another platform is suspicious.
const shortSecret = 16

// checkFormats refuses an appid and a secret that WeChat cannot have issued, so that a
// typing error is found before the first login. For other platforms, whose formats are
// not documented, it only warns. It never reports the secret.
func (m *MiniProgram) checkFormats(logger *zap.Logger) error {
	if m.platform == wechat.WeChat {
		switch {
		case !weixinAppID.MatchString(string(m.id)):
			return errAppIDFormat
		case m.component != nil && !weixinAppID.MatchString(string(m.component.AppID)):
			return fmt.Errorf("component %s: %w", m.component.AppID, errAppIDFormat)
		case m.component == nil && !weixinSecret.MatchString(m.secret):
			return errSecretFormat
		}
		return nil
	}
	if seen := observedAppIDs[m.platform]; seen != nil && !seen.MatchString(string(m.id)) {
		warnOfFormat(logger, "the appid does not look like one of this platform", m.id, m.platform)
	}
	if len(m.secret) < shortSecret {
		warnOfFormat(logger, "the secret is shorter than secrets of this platform", m.id, m.platform)
	}
	return nil
}

func warnOfFormat(logger *zap.Logger, message string, app auth.AppID, platform wechat.Platform) {
	logger.Warn(message, zap.String("app", string(app)), zap.String("platform", string(platform)))
}
