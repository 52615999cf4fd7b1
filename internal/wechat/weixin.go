package wechat

import (
	"net/url"

	"github.com/wxgate/wxgate/internal/auth"
)

// DefaultAPI is WeChat's host in mainland China.
const DefaultAPI = "https://api.weixin.qq.com"

// weixin is WeChat itself.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/code2Session.html
var weixin = dialect{
	platform:     WeChat,
	api:          DefaultAPI,
	status:       weixinStatus,
	login:        func(cfg *Config, code, _ string) request { return weixinLogin(cfg, CallLogin, code) },
	session:      func() sessionAnswer { return new(weixinSession) },
	token:        stableToken,
	grant:        func() tokenAnswer { return new(weixinToken) },
	meanings:     weixinMeanings,
	callMeanings: weixinCallMeanings,
	busy:         codeBusy,
	stale:        []int{codeTokenInvalid, codeTokenUnknown, codeTokenExpired},
	keys:         []int{aes128Bytes},
}

// weixinStatus reads errcode and errmsg. A success may leave both out.
func weixinStatus(body []byte) (int, string, error) {
	var status struct {
		Code    errCode `json:"errcode"`
		Message string  `json:"errmsg"`
	}
	err := unmarshal(body, &status)
	return int(status.Code), status.Message, err
}

// weixinLogin is GET /sns/jscode2session.
func weixinLogin(cfg *Config, name CallName, code string) request {
	return request{
		name: name,
		path: "/sns/jscode2session",
		query: url.Values{
			"appid":      {string(cfg.AppID)},
			"secret":     {cfg.Secret},
			"js_code":    {code},
			"grant_type": {"authorization_code"},
		},
		secrets: []string{cfg.Secret, code},
	}
}

type weixinSession struct {
	OpenID     auth.OpenID  `json:"openid"`
	UnionID    auth.UnionID `json:"unionid"`
	SessionKey string       `json:"session_key"`
}

func (a *weixinSession) exchanged(*Config) (auth.LoginResult, error) {
	return auth.LoginResult{OpenID: a.OpenID, UnionID: a.UnionID, SessionKey: a.SessionKey}, nil
}

// stableToken is POST /cgi-bin/stable_token in normal mode: it invalidates nobody's
// token, so it may be retried and every replica may call it. force_refresh, which
// WeChat counts in days, is never sent from here.
func stableToken(cfg *Config) request {
	return request{
		name: CallToken,
		path: "/cgi-bin/stable_token",
		body: struct {
			GrantType string     `json:"grant_type"`
			AppID     auth.AppID `json:"appid"`
			Secret    string     `json:"secret"`
		}{"client_credential", cfg.AppID, cfg.Secret},
		secrets: []string{cfg.Secret},
	}
}

type weixinToken struct {
	Token   string `json:"access_token"`
	Seconds int64  `json:"expires_in"`
}

func (a *weixinToken) granted() (string, int64) { return a.Token, a.Seconds }
