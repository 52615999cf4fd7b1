package platform

import (
	"maps"
	"net/url"

	"github.com/wxgate/wxgate/internal/auth"
)

// QQ is a QQ mini program: WeChat's protocol on another host.
// https://q.qq.com/wiki/develop/miniprogram/server/open_port/port_login.html
var QQ = &Dialect{
	Host:          "https://api.q.qq.com",
	status:        weixinStatus,
	LoginRequest:  func(app App, code, _ string) Request { return weixinLogin(app, CallQQLogin, code) },
	LoginResponse: func() LoginResponse { return new(weixinSession) },
	TokenRequest:  qqToken,
	TokenResponse: func() TokenResponse { return new(weixinToken) },
	meanings:      qqMeanings(),
	callMeanings:  map[CallName]map[int]meaning{CallQQLogin: weixinCallMeanings[CallLogin], CallQQToken: weixinCallMeanings[CallToken]},
	busy:          codeBusy,
	stale:         WeChat.stale,
	KeyBytes:      []int{aes128Bytes},
}

// qqToken is GET /api/getToken.
func qqToken(app App) Request {
	return Request{
		Name: CallQQToken,
		Path: "/api/getToken",
		Query: url.Values{
			"grant_type": {"client_credential"},
			"appid":      {string(app.ID)},
			"secret":     {app.Secret},
		},
		Secrets: []string{app.Secret},
	}
}

// qqMeanings are the meanings of WeChat, and two that only QQ has.
func qqMeanings() map[int]meaning {
	all := maps.Clone(weixinMeanings)
	all[-101222100] = meaning{class: auth.ErrAppMisconfigured} // appid or secret
	all[-2100] = meaning{class: auth.ErrAppMisconfigured}      // the same
	return all
}
