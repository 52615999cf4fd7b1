package miniprogram

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/caddymodule/secret"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/traces"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechat/testphone"
)

// parsedPlatform returns the configured platform.
func (m *Config) parsedPlatform() (wechat.Platform, error) {
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

// checkPlatform refuses options that the platform does not support, so that no operator
// relies on an option without effect.
func (m *Config) checkPlatform() error {
	platform, err := m.parsedPlatform()
	if err != nil {
		return err
	}
	if err := m.checkKind(platform); err != nil {
		return err
	}
	checked := m.EncryptedPhone == phoneChecked
	if platform == wechat.WeChat {
		switch {
		case m.Component == nil:
		case checked:
			return errors.New("encrypted_phone checked requires the app's secret: a component has no access token of the app")
		case m.Risk != nil:
			return errors.New("risk requires the app's secret: WeChat does not rank users for a component")
		case m.APISecurity != nil:
			return errors.New("api_security requires the app's secret: a component has no access token of the app")
		case m.PhoneBudget != "":
			return errors.New("phone_budget requires the app's secret: a component exchanges no phone codes")
		}
		return nil
	}
	switch {
	case checked:
		return fmt.Errorf("encrypted_phone checked is only supported on platform wechat, not %s", platform)
	case m.APISecurity != nil:
		return fmt.Errorf("api_security is only supported on platform wechat, not %s", platform)
	case m.Component != nil:
		return fmt.Errorf("component is only supported on platform wechat, not %s", platform)
	case m.Callback != nil:
		return fmt.Errorf("callback is only supported on platform wechat, not %s", platform)
	case m.Risk != nil:
		return fmt.Errorf("risk is only supported on platform wechat, not %s", platform)
	case m.RawSessionKey != "":
		return fmt.Errorf("raw_session_key is only supported on platform wechat, not %s", platform)
	case m.PhoneBudget != "":
		return fmt.Errorf("phone_budget is only supported on platform wechat, not %s", platform)
	case m.TestPhones != nil:
		return fmt.Errorf("test_phone is only supported on platform wechat, not %s", platform)
	case m.Watermark != nil && platform == wechat.Kuaishou:
		return fmt.Errorf("watermark is not supported on platform %s: its data has none", platform)
	}
	return nil
}

func (m *Config) provisionPlatform(repl *caddy.Replacer) error {
	if err := m.checkPlatform(); err != nil {
		return err
	}
	if err := m.checkReply(); err != nil {
		return err
	}
	var err error
	if m.platform, err = m.parsedPlatform(); err != nil || m.MiniProgram == "" {
		return err
	}
	m.miniProgram, err = ResolveID(repl, m.MiniProgram)
	return err
}

// WeChat's formats are known: an appid is wx and 16 hexadecimal digits, an AppSecret
// 32 hexadecimal digits. The formats of the other platforms are observed, not documented.
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

// checkFormats refuses an appid and a secret that WeChat cannot have issued, so that a typo
// is reported at load and not by the first login. For other platforms, and for containers
// with WeChat's API, whose formats are not documented, it only warns. Its errors and warnings
// never contain the secret.
func (m *Config) checkFormats(logger *zap.Logger) error {
	if m.platform == wechat.WeChat && !m.container {
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

// Key identifies a client of the platform by the settings that it was opened with. Mini programs
// with equal keys share a client. Secrets in it are hashed.
type Key struct {
	App         auth.AppID
	api         string
	platform    wechat.Platform
	kind        string
	miniProgram auth.AppID
	secret      [sha256.Size]byte
	component   wechat.Component // TokenURL hashed
	watermark   time.Duration
	phone       string // encrypted_phone
	testPhones  testphone.Numbers
	ranks       bool // whether logins ask for a risk rank, with the settings in risk
	risk        wechat.RiskConfig
	security    [sha256.Size]byte
}

// Key returns the key of the mini program's client.
func (m *Config) Key() Key {
	key := Key{
		App: m.id, api: m.api, platform: m.platform, kind: m.Kind, miniProgram: m.miniProgram,
		secret: sha256.Sum256([]byte(m.secret)), watermark: time.Duration(*m.Watermark), phone: m.EncryptedPhone, testPhones: m.testPhones,
		security: m.securityKey,
	}
	if m.component != nil {
		sum := sha256.Sum256([]byte(m.component.TokenURL))
		key.component = wechat.Component{AppID: m.component.AppID, TokenURL: string(sum[:])}
	}
	if m.risk != nil {
		key.ranks, key.risk = true, *m.risk
	}
	return key
}

// TokenIdentity returns a hash of the settings that determine the access token of clients with
// this key. The watermark, for example, is not among them.
func (k Key) TokenIdentity() [sha256.Size]byte {
	return secret.Hash(string(k.platform), string(k.App), k.api, string(k.secret[:]), string(k.component.AppID), k.component.TokenURL)
}

// NewClient returns a client of the platform's API. It keeps its access token in share, or in
// memory if share is nil. The caller closes it.
func (m *Config) NewClient(share wechat.TokenShare) (*wechat.Client, error) {
	return wechat.New(wechat.Config{
		Platform:    m.platform,
		Kind:        m.ResolvedKind(),
		AppID:       m.id,
		MiniProgram: m.miniProgram,
		Secret:      m.secret,
		Component:   m.component,
		API:         m.api,
		Risk:        m.risk,
		Watermark:   time.Duration(*m.Watermark),

		UnverifiedPhone: m.EncryptedPhone == phoneUnverified,
		TrustUnmarked:   m.EncryptedPhone == phoneVerified,
		CheckPhone:      m.EncryptedPhone == phoneChecked,
		TestPhones:      m.testPhones,

		Security:        m.security,
		ObserveSecurity: newSecurityObserver().observe,

		Share: share,
		Observe: func(ctx context.Context, call wechat.Call) {
			metrics.ObserveWeChat(call)
			traces.WeChat(ctx, call)
		},
	})
}
