package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

// parsedPlatform is the platform that the word names.
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

// checkPlatform refuses what the platform does not have, so that nobody relies on
// a setting that does nothing.
func (m *MiniProgram) checkPlatform() error {
	platform, err := m.parsedPlatform()
	if err != nil || platform == wechat.WeChat {
		return err
	}
	switch {
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
	m.program, err = resolveAppID(repl, m.MiniProgram)
	return err
}

// weixinOnly is the apps that are on WeChat, for what only WeChat has. Named says
// that the operator named them, who should learn which cannot work.
func (a *App) weixinOnly(apps map[auth.AppID]struct{}, named bool) error {
	for _, m := range a.MiniPrograms {
		if _, ok := apps[m.id]; !ok || m.platform == wechat.WeChat {
			continue
		}
		if named {
			return fmt.Errorf("app %s is on platform %s, whose API is not served here", m.id, m.platform)
		}
		delete(apps, m.id)
	}
	if len(apps) == 0 {
		return errors.New("no app is on platform wechat, whose API is the one that is served here")
	}
	return nil
}

// appError is a failure at the platform of one app: the log learns which app it
// was, and clients that are not on WeChat the names that they know.
type appError struct {
	app      auth.AppID
	platform wechat.Platform
	cause    error
}

// ofApp says of which app a failure is; nil for none. The store is no app's: all
// of them fail with it.
func (rt *runtime) ofApp(app auth.AppID, err error) error {
	client, ok := rt.platforms[app]
	if err == nil || !ok || errors.Is(err, auth.ErrStoreUnavailable) {
		return err
	}
	return &appError{app, client.Platform(), err}
}

func (e *appError) Error() string {
	return fmt.Sprintf("app %s on %s: %s", e.app, e.platform, e.cause)
}

func (e *appError) Unwrap() error { return e.cause }

// siblingWords put a problem's detail in the words of another platform: its name,
// and what its clients call for a code.
var siblingWords = map[wechat.Platform]*strings.Replacer{
	wechat.QQ:          strings.NewReplacer("WeChat", "QQ", "wx.login", "qq.login"),
	wechat.Douyin:      strings.NewReplacer("WeChat", "Douyin", "wx.login", "tt.login"),
	wechat.Kuaishou:    strings.NewReplacer("WeChat", "Kuaishou", "wx.login", "ks.login"),
	wechat.Xiaohongshu: strings.NewReplacer("WeChat", "Xiaohongshu", "wx.login", "xhs.login"),
	wechat.WeCom:       strings.NewReplacer("WeChat", "WeCom", "wx.login", "wx.qy.login"),
}

// Detail is a problem's detail in the words of the app's platform.
func (e *appError) Detail(weixin string) string {
	if words, ok := siblingWords[e.platform]; ok {
		return words.Replace(weixin)
	}
	return weixin
}
