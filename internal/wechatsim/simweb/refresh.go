package simweb

import (
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

// refreshLifetime is how long a refresh_token is valid: 30 days.
const refreshLifetime = 30 * 24 * time.Hour

// A refresh is the refresh_token of one user.
type refresh struct {
	code
	access  string // the latest access_token
	expires time.Time
}

// Refresh is GET /sns/oauth2/refresh_token (刷新用户授权凭证). It needs no secret. An access_token
// that is still valid stays the same and lasts longer; otherwise there is a new one.
// https://developers.weixin.qq.com/doc/service/api/webdev/access/api_snsrefreshtoken
// https://developers.weixin.qq.com/doc/oplatform/Website_App/WeChat_Login/Wechat_Login.html
//
// The page names 40029 for a wrong refresh_token. WeChat returns 40030, of the global list:
// https://developers.weixin.qq.com/community/develop/doc/0006e83b1d8f38f95b9cffac65b800
func (w *Web) Refresh(r Request) protocol.Response {
	app, known := w.accounts.App(r.Query.Get("appid"))
	errcode := 0
	switch {
	case r.Query.Get("appid") == "":
		errcode = protocol.ErrAppIDMissing
	case !known || app.Kind == MiniProgram:
		errcode = protocol.ErrAppID
	case r.Query.Get("grant_type") != "refresh_token":
		errcode = protocol.ErrGrantType
	}
	if errcode != 0 {
		return protocol.WeChat.Refuse(r.Path, errcode)
	}
	now := w.accounts.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	value := r.Query.Get("refresh_token")
	found, ok := w.fresh.Get(value)
	if !ok || found.app != app.ID || !now.Before(found.expires) {
		return protocol.WeChat.Refuse(r.Path, protocol.ErrRefreshToken)
	}
	return protocol.Success(w.grantOf(value, found, now))
}

// Auth is GET /sns/auth (检验用户授权凭证): whether an access_token is valid, for this user.
// https://developers.weixin.qq.com/doc/service/api/webdev/access/api_snsauth
func (w *Web) Auth(r Request) protocol.Response {
	of, errcode := w.tokenOf(r.Query.Get("access_token"))
	if errcode == 0 && r.Query.Get("openid") != of.openid {
		errcode = protocol.ErrOpenID
	}
	if errcode != 0 {
		return protocol.WeChat.Refuse(r.Path, errcode)
	}
	return protocol.Success(struct {
		ErrCode int    `json:"errcode"`
		ErrMsg  string `json:"errmsg"`
	}{0, "ok"})
}
