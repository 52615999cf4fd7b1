package platform

import (
	"errors"
	"net/url"

	"github.com/wxgate/wxgate/internal/auth"
)

// codeKuaishouBusy means that the service failed.
const codeKuaishouBusy = 100200500

// Kuaishou is a Kuaishou mini program. Its open data has no watermark.
// https://mp.kuaishou.com/docs/develop/server/code2Session.html
var Kuaishou = &Dialect{
	Host:          "https://open.kuaishou.com",
	status:        kuaishouStatus,
	LoginRequest:  kuaishouLogin,
	LoginResponse: func() LoginResponse { return new(kuaishouSession) },
	TokenRequest:  kuaishouToken,
	TokenResponse: func() TokenResponse { return new(weixinToken) },
	meanings: map[int]meaning{
		100200100:        {class: auth.ErrInvalidRequest},   // a parameter is missing or wrong
		100200101:        {class: auth.ErrAppMisconfigured}, // app_id or app_secret
		100200102:        {class: auth.ErrAppMisconfigured}, // refused
		100200104:        {class: auth.ErrAppMisconfigured}, // grant_type
		100200105:        {class: auth.ErrInvalidCode},
		codeKuaishouBusy: {class: auth.ErrWeChatBusy, after: soon},
	},
	busy:     codeKuaishouBusy,
	KeyBytes: []int{aes128Bytes},
	Bare:     true,
}

// kuaishouDone is the result of a successful call.
const kuaishouDone = 1

var errNoResult = errors.New("no result")

// kuaishouStatus reads result and error_msg. Here 1 is success.
func kuaishouStatus(body []byte) (int, string, error) {
	var status struct {
		Code    errCode `json:"result"`
		Message string  `json:"error_msg"`
	}
	err := unmarshal(body, &status)
	switch {
	case err != nil:
		return 0, "", err
	case status.Code == 0:
		return 0, "", errNoResult
	case status.Code == kuaishouDone:
		return 0, "", nil
	}
	return int(status.Code), status.Message, nil
}

// kuaishouLogin is POST /oauth2/mp/code2session, with a form.
func kuaishouLogin(app App, code, _ string) Request {
	return Request{
		Name:    CallKuaishouLogin,
		Path:    "/oauth2/mp/code2session",
		Form:    url.Values{"app_id": {string(app.ID)}, "app_secret": {app.Secret}, "js_code": {code}},
		Secrets: []string{app.Secret, code},
	}
}

type kuaishouSession struct {
	OpenID     auth.OpenID  `json:"open_id"`
	UnionID    auth.UnionID `json:"union_id"`
	SessionKey string       `json:"session_key"`
}

func (a *kuaishouSession) Result(App) (auth.LoginResult, error) {
	return auth.LoginResult{OpenID: a.OpenID, UnionID: a.UnionID, SessionKey: a.SessionKey}, nil
}

// kuaishouToken is POST /oauth2/access_token. Previous tokens stay valid.
func kuaishouToken(app App) Request {
	return Request{
		Name:    CallKuaishouToken,
		Path:    "/oauth2/access_token",
		Form:    url.Values{"app_id": {string(app.ID)}, "app_secret": {app.Secret}, "grant_type": {"client_credentials"}},
		Secrets: []string{app.Secret},
	}
}
