package wechat

import (
	"github.com/wxgate/wxgate/internal/auth"
)

// douyin is a Douyin mini program.
// https://developer.open-douyin.com/docs/resource/zh-CN/mini-app/develop/server/log-in/code-2-session
//
// Its phone codes are left out: the call that spends one encrypts its answer with
// a key that the page does not describe. Anonymous codes are, too: what they are
// good for names a phone, not a person.
var douyin = dialect{
	platform: Douyin,
	api:      "https://developer.toutiao.com",
	status:   douyinStatus,
	login:    douyinLogin,
	session:  func() sessionAnswer { return new(douyinSession) },
	token:    douyinToken,
	grant:    func() tokenAnswer { return new(douyinGrant) },
	meanings: map[int]meaning{
		codeBusy: {class: auth.ErrWeChatBusy, after: soon},
		40014:    {class: auth.ErrInvalidRequest},   // a parameter is missing
		40015:    {class: auth.ErrAppMisconfigured}, // appid
		40017:    {class: auth.ErrAppMisconfigured}, // secret
		40018:    {class: auth.ErrInvalidCode},
		40019:    {class: auth.ErrInvalidCode},      // anonymous_code
		40020:    {class: auth.ErrAppMisconfigured}, // grant_type
	},
	busy: codeBusy,
	keys: []int{aes128Bytes},
}

// douyinStatus reads err_no and err_tips.
func douyinStatus(body []byte) (int, string, error) {
	var status struct {
		Code    errCode `json:"err_no"`
		Message string  `json:"err_tips"`
	}
	err := unmarshal(body, &status)
	return int(status.Code), status.Message, err
}

// douyinLogin is POST /api/apps/v2/jscode2session.
func douyinLogin(cfg *Config, code, _ string) request {
	return request{
		name: CallDouyinLogin,
		path: "/api/apps/v2/jscode2session",
		body: struct {
			AppID  auth.AppID `json:"appid"`
			Secret string     `json:"secret"`
			Code   string     `json:"code"`
		}{cfg.AppID, cfg.Secret, code},
		secrets: []string{cfg.Secret, code},
	}
}

type douyinSession struct {
	Data weixinSession `json:"data"`
}

func (a *douyinSession) exchanged(cfg *Config) (auth.LoginResult, error) {
	return a.Data.exchanged(cfg)
}

// douyinToken is POST /api/apps/v2/token. The token before lives five minutes on.
func douyinToken(cfg *Config) request {
	return request{
		name: CallDouyinToken,
		path: "/api/apps/v2/token",
		body: struct {
			AppID     auth.AppID `json:"appid"`
			Secret    string     `json:"secret"`
			GrantType string     `json:"grant_type"`
		}{cfg.AppID, cfg.Secret, "client_credential"},
		secrets: []string{cfg.Secret},
	}
}

type douyinGrant struct {
	Data weixinToken `json:"data"`
}

func (a *douyinGrant) granted() (string, int64) { return a.Data.granted() }
