package platform

import "github.com/wxgate/wxgate/internal/auth"

// Douyin is a Douyin mini program.
// https://developer.open-douyin.com/docs/resource/zh-CN/mini-app/develop/server/log-in/code-2-session
//
// Its phone codes are not supported: the response to one is encrypted with a key that
// the documentation does not describe. Its anonymous codes are not supported either:
// they identify a phone, not a user.
var Douyin = &Dialect{
	Host:          "https://developer.toutiao.com",
	status:        douyinStatus,
	LoginRequest:  douyinLogin,
	LoginResponse: func() LoginResponse { return new(douyinSession) },
	TokenRequest:  douyinToken,
	TokenResponse: func() TokenResponse { return new(douyinGrant) },
	meanings: map[int]meaning{
		codeBusy: {class: auth.ErrWeChatBusy, after: soon},
		40014:    {class: auth.ErrInvalidRequest},   // a parameter is missing
		40015:    {class: auth.ErrAppMisconfigured}, // appid
		40017:    {class: auth.ErrAppMisconfigured}, // secret
		40018:    {class: auth.ErrInvalidCode},
		40019:    {class: auth.ErrInvalidCode},      // anonymous_code
		40020:    {class: auth.ErrAppMisconfigured}, // grant_type
	},
	busy:     codeBusy,
	KeyBytes: []int{aes128Bytes},
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
func douyinLogin(app App, code, _ string) Request {
	return Request{
		Name: CallDouyinLogin,
		Path: "/api/apps/v2/jscode2session",
		Body: struct {
			AppID  auth.AppID `json:"appid"`
			Secret string     `json:"secret"`
			Code   string     `json:"code"`
		}{app.ID, app.Secret, code},
		Secrets: []string{app.Secret, code},
	}
}

type douyinSession struct {
	Data weixinSession `json:"data"`
}

func (a *douyinSession) Result(app App) (auth.LoginResult, error) {
	return a.Data.Result(app)
}

// douyinToken is POST /api/apps/v2/token. The previous token is valid for five more minutes.
func douyinToken(app App) Request {
	return Request{
		Name: CallDouyinToken,
		Path: "/api/apps/v2/token",
		Body: struct {
			AppID     auth.AppID `json:"appid"`
			Secret    string     `json:"secret"`
			GrantType string     `json:"grant_type"`
		}{app.ID, app.Secret, "client_credential"},
		Secrets: []string{app.Secret},
	}
}

type douyinGrant struct {
	Data weixinToken `json:"data"`
}

func (a *douyinGrant) Result() (string, int64) { return a.Data.Result() }
