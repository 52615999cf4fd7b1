package platform

import (
	"net/url"

	"github.com/wxgate/wxgate/internal/auth"
)

// WeChat is WeChat itself.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/code2Session.html
var WeChat = &Dialect{
	Host:          "https://api.weixin.qq.com", // in mainland China
	status:        weixinStatus,
	LoginRequest:  func(app App, code, _ string) Request { return weixinLogin(app, CallLogin, code) },
	LoginResponse: func() LoginResponse { return new(weixinSession) },
	TokenRequest:  stableToken,
	TokenResponse: func() TokenResponse { return new(weixinToken) },
	meanings:      weixinMeanings,
	callMeanings:  weixinCallMeanings,
	busy:          codeBusy,
	stale:         []int{codeTokenInvalid, codeTokenUnknown, codeTokenExpired},
	KeyBytes:      []int{aes128Bytes},
}

// weixinStatus reads errcode and errmsg. A successful response may lack both.
func weixinStatus(body []byte) (int, string, error) {
	var status struct {
		Code    errCode `json:"errcode"`
		Message string  `json:"errmsg"`
	}
	err := unmarshal(body, &status)
	return int(status.Code), status.Message, err
}

// weixinLogin is GET /sns/jscode2session.
func weixinLogin(app App, name CallName, code string) Request {
	return Request{
		Name: name,
		Path: "/sns/jscode2session",
		Query: url.Values{
			"appid":      {string(app.ID)},
			"secret":     {app.Secret},
			"js_code":    {code},
			"grant_type": {"authorization_code"},
		},
		Secrets: []string{app.Secret, code},
	}
}

type weixinSession struct {
	OpenID     auth.OpenID  `json:"openid"`
	UnionID    auth.UnionID `json:"unionid"`
	SessionKey string       `json:"session_key"`
}

func (a *weixinSession) Result(App) (auth.LoginResult, error) {
	return auth.LoginResult{OpenID: a.OpenID, UnionID: a.UnionID, SessionKey: a.SessionKey}, nil
}

// stableToken is POST /cgi-bin/stable_token in normal mode: it invalidates no token,
// so it may be retried and every replica may call it. force_refresh, which WeChat
// limits to a few calls a day, is never sent.
func stableToken(app App) Request {
	return Request{
		Name: CallToken,
		Path: "/cgi-bin/stable_token",
		Body: struct {
			GrantType string     `json:"grant_type"`
			AppID     auth.AppID `json:"appid"`
			Secret    string     `json:"secret"`
		}{"client_credential", app.ID, app.Secret},
		Secrets: []string{app.Secret},
	}
}

type weixinToken struct {
	Token   string `json:"access_token"`
	Seconds int64  `json:"expires_in"`
}

func (a *weixinToken) Result() (string, int64) { return a.Token, a.Seconds }
