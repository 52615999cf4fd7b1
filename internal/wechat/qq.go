package wechat

import (
	"maps"
	"net/url"

	"github.com/wxgate/wxgate/internal/auth"
)

// qq is a QQ mini program: WeChat's protocol on another host.
// https://q.qq.com/wiki/develop/miniprogram/server/open_port/port_login.html
var qq = dialect{
	platform:     QQ,
	api:          "https://api.q.qq.com",
	status:       weixinStatus,
	login:        func(cfg *Config, code, _ string) request { return weixinLogin(cfg, CallQQLogin, code) },
	session:      func() sessionAnswer { return new(weixinSession) },
	token:        qqToken,
	grant:        func() tokenAnswer { return new(weixinToken) },
	meanings:     qqMeanings(),
	callMeanings: map[CallName]map[int]meaning{CallQQLogin: weixinCallMeanings[CallLogin], CallQQToken: weixinCallMeanings[CallToken]},
	busy:         codeBusy,
	stale:        weixin.stale,
	keys:         []int{aes128Bytes},
}

// qqToken is GET /api/getToken.
func qqToken(cfg *Config) request {
	return request{
		name: CallQQToken,
		path: "/api/getToken",
		query: url.Values{
			"grant_type": {"client_credential"},
			"appid":      {string(cfg.AppID)},
			"secret":     {cfg.Secret},
		},
		secrets: []string{cfg.Secret},
	}
}

// qqMeanings are WeChat's, and two that QQ alone has.
func qqMeanings() map[int]meaning {
	all := maps.Clone(weixinMeanings)
	all[-101222100] = meaning{class: auth.ErrAppMisconfigured} // appid or secret
	all[-2100] = meaning{class: auth.ErrAppMisconfigured}      // the same
	return all
}
