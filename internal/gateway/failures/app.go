package failures

import (
	"errors"
	"fmt"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

// appError is a failure at the platform of one app. The log contains the app, and clients of
// other platforms than WeChat get the terms of their platform.
type appError struct {
	app      auth.AppID
	platform wechat.Platform
	cause    error
}

// OfApp adds to a failure the app that it concerns. It adds nothing to a failure of the store,
// which concerns all apps.
func OfApp(app auth.AppID, platform wechat.Platform, err error) error {
	if err == nil || errors.Is(err, auth.ErrStoreUnavailable) {
		return err
	}
	return &appError{app, platform, err}
}

func (e *appError) Error() string {
	return fmt.Sprintf("app %s on %s: %s", e.app, e.platform, e.cause)
}

func (e *appError) Unwrap() error { return e.cause }

// platformTerms replace WeChat's terms in a problem's detail: the name, in both languages, and
// the client function that returns a code.
var platformTerms = map[wechat.Platform]*strings.Replacer{
	wechat.QQ:          strings.NewReplacer("WeChat", "QQ", "微信", "QQ", "wx.login", "qq.login"),
	wechat.Douyin:      strings.NewReplacer("WeChat", "Douyin", "微信", "抖音", "wx.login", "tt.login"),
	wechat.Kuaishou:    strings.NewReplacer("WeChat", "Kuaishou", "微信", "快手", "wx.login", "ks.login"),
	wechat.Xiaohongshu: strings.NewReplacer("WeChat", "Xiaohongshu", "微信", "小红书", "wx.login", "xhs.login"),
	wechat.WeCom:       strings.NewReplacer("WeChat", "WeCom", "微信", "企业微信", "wx.login", "wx.qy.login"),
}

// Detail returns a problem's detail in the terms of the app's platform.
func (e *appError) Detail(detail string) string {
	if terms, ok := platformTerms[e.platform]; ok {
		return terms.Replace(detail)
	}
	return detail
}
