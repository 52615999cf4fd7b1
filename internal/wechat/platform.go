package wechat

import (
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/opendata"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

// Platform is the name of a platform of mini programs: a closed set.
type Platform string

// The platforms.
const (
	WeChat      Platform = "wechat"
	QQ          Platform = "qq"
	Douyin      Platform = "douyin"
	Kuaishou    Platform = "kuaishou"
	Xiaohongshu Platform = "xiaohongshu"
	WeCom       Platform = "wecom"
)

// Platforms returns all platforms, WeChat first.
func Platforms() []Platform {
	return []Platform{WeChat, QQ, Douyin, Kuaishou, Xiaohongshu, WeCom}
}

var dialects = map[Platform]*platform.Dialect{
	WeChat:      platform.WeChat,
	QQ:          platform.QQ,
	Douyin:      platform.Douyin,
	Kuaishou:    platform.Kuaishou,
	Xiaohongshu: platform.Xiaohongshu,
	WeCom:       platform.WeCom,
}

// dialectOf returns the dialect of an app's platform; nil if the platform is unknown.
func dialectOf(p Platform, k Kind) *platform.Dialect {
	if k != "" && p == WeChat {
		return platform.WeChatWeb
	}
	return dialects[p]
}

// newOpener returns an opener for the data of the platform's users.
func (c *Client) newOpener() *opendata.Opener {
	opener := &opendata.Opener{
		App:      c.cfg.MiniProgram,
		MaxAge:   c.cfg.Watermark,
		KeyBytes: c.dialect.KeyBytes,
		Bare:     c.dialect.Bare,
		Verifies: !c.cfg.UnverifiedPhone && (!c.dialect.Bare || c.cfg.TrustUnmarked),
		Now:      c.cfg.Now,
	}
	if c.dialect.Owner != nil {
		opener.Owner = func(plain []byte) (auth.OpenID, bool) { return c.dialect.Owner(c.app, plain) }
	}
	return opener
}

// weixinOnly refuses a call that WeChat's siblings do not have, or do not document
// sufficiently.
func (c *Client) weixinOnly(name platform.CallName) error {
	if c.cfg.Platform != WeChat {
		return fmt.Errorf("%w: %s of app %q, which is on %s", auth.ErrUnsupported, name, c.cfg.AppID, c.cfg.Platform)
	}
	return nil
}

// decode returns a function that decodes a response into into, and then calls check.
func (c *Client) decode(name platform.CallName, into any, check func() error) func(reply) error {
	return func(r reply) error {
		if err := c.dialect.Decode(name, r.status, r.body, into, c.cfg.Now()); err != nil {
			return err
		}
		return check()
	}
}
