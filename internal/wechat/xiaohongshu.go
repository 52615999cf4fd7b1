package wechat

import (
	"errors"
	"net/url"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// codeXiaohongshuBusy is Xiaohongshu's "the system failed, come again".
	codeXiaohongshuBusy = 2
	// codeXiaohongshuToken refuses an access token.
	codeXiaohongshuToken = 410101
	// aes192Bytes is what Xiaohongshu's page says of a session key, beside
	// AES-128. Both are read.
	aes192Bytes = 24
)

// xiaohongshu is a Xiaohongshu mini program: its logins need the app's access
// token. Its page on error codes cannot be read without an account, so that only
// those are known here which its other pages show.
// https://miniapp.xiaohongshu.com/doc/DC724193
var xiaohongshu = dialect{
	platform:  Xiaohongshu,
	api:       "https://miniapp.xiaohongshu.com",
	status:    xiaohongshuStatus,
	login:     xiaohongshuLogin,
	withToken: true,
	session:   func() sessionAnswer { return new(xiaohongshuSession) },
	token:     xiaohongshuToken,
	grant:     func() tokenAnswer { return new(xiaohongshuGrant) },
	meanings: map[int]meaning{
		codeXiaohongshuBusy: {class: auth.ErrWeChatBusy, after: soon},
		// Refused again with a new one: another client keeps replacing it.
		codeXiaohongshuToken: {class: auth.ErrWeChatBusy, after: soon},
	},
	busy:  codeXiaohongshuBusy,
	stale: []int{codeXiaohongshuToken},
	keys:  []int{aes128Bytes, aes192Bytes},
	bare:  true,
}

var errUnexplained = errors.New("a failure without a code")

// xiaohongshuStatus reads success, code and msg, which must agree.
func xiaohongshuStatus(body []byte) (int, string, error) {
	var status struct {
		Success bool    `json:"success"`
		Code    errCode `json:"code"`
		Message string  `json:"msg"`
	}
	if err := unmarshal(body, &status); err != nil {
		return 0, "", err
	}
	if !status.Success && status.Code == 0 {
		return 0, "", errUnexplained
	}
	return int(status.Code), status.Message, nil
}

// xiaohongshuLogin is GET /api/rmp/session.
func xiaohongshuLogin(cfg *Config, code, token string) request {
	return request{
		name:    CallXiaohongshuLogin,
		path:    "/api/rmp/session",
		query:   url.Values{"app_id": {string(cfg.AppID)}, "access_token": {token}, "code": {code}},
		secrets: []string{cfg.Secret, token, code},
	}
}

// xiaohongshuSession has the user's name under openid on the page of the call,
// and under open_id on the one about logins.
type xiaohongshuSession struct {
	Data struct {
		OpenID      auth.OpenID `json:"openid"`
		OpenIDSnake auth.OpenID `json:"open_id"`
		SessionKey  string      `json:"session_key"`
	} `json:"data"`
}

func (a *xiaohongshuSession) exchanged(*Config) (auth.LoginResult, error) {
	who := auth.LoginResult{OpenID: a.Data.OpenID, SessionKey: a.Data.SessionKey}
	switch {
	case who.OpenID == "":
		who.OpenID = a.Data.OpenIDSnake
	case a.Data.OpenIDSnake != "" && a.Data.OpenIDSnake != who.OpenID:
		return auth.LoginResult{}, incomplete(CallXiaohongshuLogin, "openid: there are two")
	}
	return who, nil
}

// xiaohongshuToken is POST /api/rmp/token. It leaves the token before five
// minutes, and no more than two live at a time.
func xiaohongshuToken(cfg *Config) request {
	return request{
		name: CallXiaohongshuToken,
		path: "/api/rmp/token",
		body: struct {
			AppID  auth.AppID `json:"appid"`
			Secret string     `json:"secret"`
		}{cfg.AppID, cfg.Secret},
		secrets: []string{cfg.Secret},
	}
}

type xiaohongshuGrant struct {
	Data struct {
		Token   string `json:"access_token"`
		Seconds int64  `json:"expire_in"`
	} `json:"data"`
}

func (a *xiaohongshuGrant) granted() (string, int64) { return a.Data.Token, a.Data.Seconds }
