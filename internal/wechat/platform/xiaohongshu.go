package platform

import (
	"errors"
	"net/url"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// codeXiaohongshuBusy means that the system failed and the call may be retried.
	codeXiaohongshuBusy = 2
	// codeXiaohongshuToken refuses an access token.
	codeXiaohongshuToken = 410101
	// aes192Bytes is one of the two sizes of a session key in Xiaohongshu's
	// documentation; AES-128 is the other.
	aes192Bytes = 24
)

// Xiaohongshu is a Xiaohongshu mini program. Its logins need the app's access token.
// Its page on error codes requires an account, so this table has only the codes that
// its other pages show.
// https://miniapp.xiaohongshu.com/doc/DC724193
var Xiaohongshu = &Dialect{
	Host:          "https://miniapp.xiaohongshu.com",
	status:        xiaohongshuStatus,
	LoginRequest:  xiaohongshuLogin,
	NeedsToken:    true,
	LoginResponse: func() LoginResponse { return new(xiaohongshuSession) },
	TokenRequest:  xiaohongshuToken,
	TokenResponse: func() TokenResponse { return new(xiaohongshuGrant) },
	meanings: map[int]meaning{
		codeXiaohongshuBusy: {class: auth.ErrWeChatBusy, after: soon},
		// The token was refused again after it was renewed: another client keeps replacing it.
		codeXiaohongshuToken: {class: auth.ErrWeChatBusy, after: soon},
	},
	busy:     codeXiaohongshuBusy,
	stale:    []int{codeXiaohongshuToken},
	KeyBytes: []int{aes128Bytes, aes192Bytes},
	Bare:     true,
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
func xiaohongshuLogin(app App, code, token string) Request {
	return Request{
		Name:    CallXiaohongshuLogin,
		Path:    "/api/rmp/session",
		Query:   url.Values{"app_id": {string(app.ID)}, "access_token": {token}, "code": {code}},
		Secrets: []string{app.Secret, token, code},
	}
}

// xiaohongshuSession has the openid as openid in the documentation of the call, and
// as open_id on the page about logins.
type xiaohongshuSession struct {
	Data struct {
		OpenID      auth.OpenID `json:"openid"`
		OpenIDSnake auth.OpenID `json:"open_id"`
		SessionKey  string      `json:"session_key"`
	} `json:"data"`
}

func (a *xiaohongshuSession) Result(App) (auth.LoginResult, error) {
	who := auth.LoginResult{OpenID: a.Data.OpenID, SessionKey: a.Data.SessionKey}
	switch {
	case who.OpenID == "":
		who.OpenID = a.Data.OpenIDSnake
	case a.Data.OpenIDSnake != "" && a.Data.OpenIDSnake != who.OpenID:
		return auth.LoginResult{}, Incomplete(CallXiaohongshuLogin, "openid: there are two")
	}
	return who, nil
}

// xiaohongshuToken is POST /api/rmp/token. The previous token is valid for five more
// minutes; at most two tokens are valid at a time.
func xiaohongshuToken(app App) Request {
	return Request{
		Name: CallXiaohongshuToken,
		Path: "/api/rmp/token",
		Body: struct {
			AppID  auth.AppID `json:"appid"`
			Secret string     `json:"secret"`
		}{app.ID, app.Secret},
		Secrets: []string{app.Secret},
	}
}

type xiaohongshuGrant struct {
	Data struct {
		Token   string `json:"access_token"`
		Seconds int64  `json:"expire_in"`
	} `json:"data"`
}

func (a *xiaohongshuGrant) Result() (string, int64) { return a.Data.Token, a.Data.Seconds }
