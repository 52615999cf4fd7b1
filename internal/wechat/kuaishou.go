package wechat

import (
	"errors"
	"net/url"

	"github.com/wxgate/wxgate/internal/auth"
)

// codeKuaishouBusy is Kuaishou's "the service failed".
const codeKuaishouBusy = 100200500

// kuaishou is a Kuaishou mini program. Its data carries no watermark.
// https://mp.kuaishou.com/docs/develop/server/code2Session.html
var kuaishou = dialect{
	platform: Kuaishou,
	api:      "https://open.kuaishou.com",
	status:   kuaishouStatus,
	login:    kuaishouLogin,
	session:  func() sessionAnswer { return new(kuaishouSession) },
	token:    kuaishouToken,
	grant:    func() tokenAnswer { return new(weixinToken) },
	meanings: map[int]meaning{
		100200100:        {class: auth.ErrInvalidRequest},   // a parameter is missing or wrong
		100200101:        {class: auth.ErrAppMisconfigured}, // app_id or app_secret
		100200102:        {class: auth.ErrAppMisconfigured}, // refused
		100200104:        {class: auth.ErrAppMisconfigured}, // grant_type
		100200105:        {class: auth.ErrInvalidCode},
		codeKuaishouBusy: {class: auth.ErrWeChatBusy, after: soon},
	},
	busy: codeKuaishouBusy,
	keys: []int{aes128Bytes},
	bare: true,
}

// kuaishouDone is what result says of a success.
const kuaishouDone = 1

var errNoResult = errors.New("no result")

// kuaishouStatus reads result and error_msg. Here 1 is the success.
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
func kuaishouLogin(cfg *Config, code, _ string) request {
	return request{
		name:    CallKuaishouLogin,
		path:    "/oauth2/mp/code2session",
		form:    url.Values{"app_id": {string(cfg.AppID)}, "app_secret": {cfg.Secret}, "js_code": {code}},
		secrets: []string{cfg.Secret, code},
	}
}

type kuaishouSession struct {
	OpenID     auth.OpenID  `json:"open_id"`
	UnionID    auth.UnionID `json:"union_id"`
	SessionKey string       `json:"session_key"`
}

func (a *kuaishouSession) exchanged(*Config) (auth.LoginResult, error) {
	return auth.LoginResult{OpenID: a.OpenID, UnionID: a.UnionID, SessionKey: a.SessionKey}, nil
}

// kuaishouToken is POST /oauth2/access_token. Old tokens live on.
func kuaishouToken(cfg *Config) request {
	return request{
		name:    CallKuaishouToken,
		path:    "/oauth2/access_token",
		form:    url.Values{"app_id": {string(cfg.AppID)}, "app_secret": {cfg.Secret}, "grant_type": {"client_credentials"}},
		secrets: []string{cfg.Secret},
	}
}
