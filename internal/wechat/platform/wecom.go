package platform

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
)

// codeWeComToken and codeWeComExpired refuse an access token.
const (
	codeWeComToken   = 40014
	codeWeComExpired = 42001
)

// WeCom is a mini program that a company's members open in WeCom (企业微信). The App is the
// company: ID is the corpid, and Secret is the secret of the app that the mini program is
// linked with. The openid is derived from the userid, which the company chooses and which is
// unique within the company: see wecomOpenID.
// https://developer.work.weixin.qq.com/document/path/91507
var WeCom = &Dialect{
	Host:          "https://qyapi.weixin.qq.com",
	status:        weixinStatus,
	LoginRequest:  wecomLogin,
	NeedsToken:    true,
	LoginResponse: func() LoginResponse { return new(wecomSession) },
	TokenRequest:  wecomToken,
	TokenResponse: func() TokenResponse { return new(weixinToken) },
	meanings: map[int]meaning{
		codeBusy: {class: auth.ErrWeChatBusy, after: soon},
		40001:    {class: auth.ErrAppMisconfigured}, // secret
		40013:    {class: auth.ErrAppMisconfigured}, // corpid
		// The token was refused again after it was renewed.
		codeWeComToken:   {class: auth.ErrWeChatBusy, after: soon},
		codeWeComExpired: {class: auth.ErrWeChatBusy, after: soon},
		40029:            {class: auth.ErrInvalidCode},
		41001:            {class: auth.ErrAppMisconfigured}, // access_token missing
		41002:            {class: auth.ErrAppMisconfigured}, // corpid missing
		41004:            {class: auth.ErrAppMisconfigured}, // secret missing
		41008:            {class: auth.ErrInvalidRequest},   // code missing
		45009:            {class: auth.ErrRateLimited, after: nextMinute},
		45033:            {class: auth.ErrWeChatBusy, after: soon}, // too many calls at once
		48002:            {class: auth.ErrAppMisconfigured},        // the app may not call this
		50003:            {class: auth.ErrAppMisconfigured},        // the app is switched off
		60011:            {class: auth.ErrAppMisconfigured},        // no privilege
		60020:            {class: auth.ErrAppMisconfigured},        // our address is not in the allow-list
	},
	busy:     codeBusy,
	stale:    []int{codeWeComToken, codeWeComExpired},
	KeyBytes: []int{aes128Bytes},
	Owner:    wecomOwner,
}

// wecomLogin is GET /cgi-bin/miniprogram/jscode2session.
func wecomLogin(app App, code, token string) Request {
	return Request{
		Name:    CallWeComLogin,
		Path:    "/cgi-bin/miniprogram/jscode2session",
		Query:   url.Values{"access_token": {token}, "js_code": {code}, "grant_type": {"authorization_code"}},
		Secrets: []string{app.Secret, token, code},
	}
}

type wecomSession struct {
	CorpID     auth.AppID `json:"corpid"`
	UserID     string     `json:"userid"`
	SessionKey string     `json:"session_key"`
}

// Result refuses members of other companies: another company chooses their userids,
// which may be the same as those of this company's members, whose sessions they would
// get.
func (a *wecomSession) Result(app App) (auth.LoginResult, error) {
	switch {
	case a.CorpID == "":
		return auth.LoginResult{}, Incomplete(CallWeComLogin, "corpid")
	case a.CorpID != app.ID:
		return auth.LoginResult{}, fmt.Errorf("%w: the user belongs to another company than %s", auth.ErrForbidden, app.ID)
	}
	return auth.LoginResult{OpenID: wecomOpenID(a.UserID), SessionKey: a.SessionKey}, nil
}

// wecomEscapes escapes the characters of a userid that an openid may not contain.
var wecomEscapes = strings.NewReplacer("_", "__", ".", "_d", "@", "_a")

// wecomOpenID returns the openid of a userid, or "" if the userid is not valid. A
// userid consists of letters, digits and "_-@.", and begins with a letter or digit. If
// it contains dots or at signs, its openid is "_" and the escaped userid: a.b@c becomes
// _a_db_ac. So no two userids have the same openid, and every openid is valid in
// headers, tokens, keys and logs.
func wecomOpenID(userid string) auth.OpenID {
	if userid == "" || userid[0] == '_' || userid[0] == '-' || userid[0] == '.' || userid[0] == '@' {
		return ""
	}
	openid := auth.OpenID(userid)
	if strings.ContainsAny(userid, ".@") {
		openid = auth.OpenID("_" + wecomEscapes.Replace(userid))
	}
	if !auth.ValidID(openid) { // or too long after escaping
		return ""
	}
	return openid
}

// wecomOwner reads the openid from open data. Data with a userid must name the company.
func wecomOwner(app App, plain []byte) (auth.OpenID, bool) {
	var who struct {
		CorpID auth.AppID `json:"corpid"`
		UserID string     `json:"userid"`
	}
	if err := unmarshal(plain, &who); err != nil {
		return "", false
	}
	if who.UserID == "" {
		return "", true
	}
	openid := wecomOpenID(who.UserID)
	return openid, openid != "" && who.CorpID == app.ID
}

// wecomToken is GET /cgi-bin/gettoken, which returns the same token to every caller.
func wecomToken(app App) Request {
	return Request{
		Name:    CallWeComToken,
		Path:    "/cgi-bin/gettoken",
		Query:   url.Values{"corpid": {string(app.ID)}, "corpsecret": {app.Secret}},
		Secrets: []string{app.Secret},
	}
}
