package caddymodule

import (
	"errors"
	"fmt"
	"regexp"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

// WeChat's formats are known: an appid is wx and 16 hexadecimal digits, an AppSecret
// 32 hexadecimal digits. Those of the other platforms are what has been seen.
var (
	weixinAppID  = regexp.MustCompile(`^wx[0-9a-f]{16}$`)
	weixinSecret = regexp.MustCompile(`^[0-9a-fA-F]{32}$`)

	seenAppIDs = map[wechat.Platform]*regexp.Regexp{
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

// checkFormats refuses an appid and a secret that WeChat cannot have given out, so
// that a typing error is found before the first login. Of other platforms, whose
// formats are not documented, it only warns. The secret is never in what it reports.
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
	if seen := seenAppIDs[m.platform]; seen != nil && !seen.MatchString(string(m.id)) {
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
