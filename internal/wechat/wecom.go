package wechat

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

// wecom is a mini program that a company's people open in WeCom (企业微信). Its
// Config names the company: AppID is the corpid, Secret that of the app which the
// mini program is linked with. The openid is made of the userid, which is the
// company's own choice and one within the company: see wecomOpenID.
// https://developer.work.weixin.qq.com/document/path/91507
var wecom = dialect{
	platform:  WeCom,
	api:       "https://qyapi.weixin.qq.com",
	status:    weixinStatus,
	login:     wecomLogin,
	withToken: true,
	session:   func() sessionAnswer { return new(wecomSession) },
	token:     wecomToken,
	grant:     func() tokenAnswer { return new(weixinToken) },
	meanings: map[int]meaning{
		codeBusy: {class: auth.ErrWeChatBusy, after: soon},
		40001:    {class: auth.ErrAppMisconfigured}, // secret
		40013:    {class: auth.ErrAppMisconfigured}, // corpid
		// Refused again with a new one.
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
	busy:  codeBusy,
	stale: []int{codeWeComToken, codeWeComExpired},
	keys:  []int{aes128Bytes},
	owner: wecomOwner,
}

// wecomLogin is GET /cgi-bin/miniprogram/jscode2session.
func wecomLogin(cfg *Config, code, token string) request {
	return request{
		name:    CallWeComLogin,
		path:    "/cgi-bin/miniprogram/jscode2session",
		query:   url.Values{"access_token": {token}, "js_code": {code}, "grant_type": {"authorization_code"}},
		secrets: []string{cfg.Secret, token, code},
	}
}

type wecomSession struct {
	CorpID     auth.AppID `json:"corpid"`
	UserID     string     `json:"userid"`
	SessionKey string     `json:"session_key"`
}

// exchanged refuses people of other companies. Their userids are another
// company's choice, and may be the same as those of this one's people.
func (a *wecomSession) exchanged(cfg *Config) (auth.LoginResult, error) {
	switch {
	case a.CorpID == "":
		return auth.LoginResult{}, incomplete(CallWeComLogin, "corpid")
	case a.CorpID != cfg.AppID:
		return auth.LoginResult{}, fmt.Errorf("%w: the user is of another company than %s", auth.ErrForbidden, cfg.AppID)
	}
	return auth.LoginResult{OpenID: wecomOpenID(a.UserID), SessionKey: a.SessionKey}, nil
}

// wecomEscapes writes what no openid may hold, in a userid that holds such.
var wecomEscapes = strings.NewReplacer("_", "__", ".", "_d", "@", "_a")

// wecomOpenID is the openid of a userid, "" for what is none. A userid is of letters,
// digits and "_-@.", and begins with one of the first two. One with dots or at signs
// becomes "_" and its text with those escaped, so that a.b@c is _a_db_ac: no two
// have one openid, and an openid is what it is everywhere else, in headers, tokens,
// keys and logs.
func wecomOpenID(userid string) auth.OpenID {
	if userid == "" || userid[0] == '_' || userid[0] == '-' || userid[0] == '.' || userid[0] == '@' {
		return ""
	}
	openid := auth.OpenID(userid)
	if strings.ContainsAny(userid, ".@") {
		openid = auth.OpenID("_" + wecomEscapes.Replace(userid))
	}
	if !auth.ValidID(openid) { // or too long, so written
		return ""
	}
	return openid
}

// wecomOwner reads whose data it is. Data that names a user names the company.
func wecomOwner(cfg *Config, plain []byte) (auth.OpenID, bool) {
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
	return openid, openid != "" && who.CorpID == cfg.AppID
}

// wecomToken is GET /cgi-bin/gettoken, which answers the same token to everybody.
func wecomToken(cfg *Config) request {
	return request{
		name:    CallWeComToken,
		path:    "/cgi-bin/gettoken",
		query:   url.Values{"corpid": {string(cfg.AppID)}, "corpsecret": {cfg.Secret}},
		secrets: []string{cfg.Secret},
	}
}
