package wechatsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

// codeToSession is GET /sns/jscode2session (小程序登录凭证校验).
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/code2Session.html
//
// The order in which WeChat checks the parameters is not documented; here it is app, secret,
// grant_type, code. A code is only spent if all four are valid, also if the user is then
// refused as high-risk.
func (s *Sim) codeToSession(c call) protocol.Response {
	if code := s.checkSecret(c.query.Get("appid"), c.query.Get("secret"), MiniProgram); code != 0 {
		return failure(c.path, code)
	}
	if c.query.Get("grant_type") != "authorization_code" {
		return failure(c.path, protocol.ErrGrantType)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spendLogin(c)
}

// spendLogin returns the user of a login code of the call's app. It is called with s.mu held.
func (s *Sim) spendLogin(c call) protocol.Response {
	ticket, errcode := s.redeem(c.query.Get("appid"), c.query.Get("js_code"), refusals{protocol.ErrCodeMissing, protocol.ErrInvalidCode, protocol.ErrCodeUsed})
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	if s.userOf(ticket.user).highRisk {
		return failure(c.path, protocol.ErrHighRisk)
	}
	who := s.begin(ticket)
	return protocol.Success(struct {
		SessionKey string `json:"session_key"`
		OpenID     string `json:"openid"`
		UnionID    string `json:"unionid,omitempty"`
	}{who.sessionKey, who.openid, who.unionid})
}

// checkSecret returns the errcode for a wrong app or secret, and 0 otherwise. It checks the app
// first, as WeChat does. An app that is not of one of the kinds is an invalid appid: the pages
// name no other errcode.
func (s *Sim) checkSecret(appid, secret string, kinds ...simweb.Kind) int {
	app, known := s.appOn(WeChat, appid)
	switch {
	case appid == "":
		return protocol.ErrAppIDMissing
	case !known || !slices.Contains(kinds, app.Kind):
		return protocol.ErrAppID
	case secret == "":
		return protocol.ErrSecretMissing
	case secret != app.Secret:
		return protocol.ErrSecret
	}
	return 0
}

// A Component is a third-party platform registered with the simulated WeChat.
type Component struct {
	ID   string
	Apps []string // appids that authorized it; default: all
}

// A ComponentToken is the response of api_component_token. The third-party platform's operator
// passes it on to the service that logs users in.
type ComponentToken struct {
	Token     string `json:"component_access_token"`
	ExpiresIn int    `json:"expires_in"`
}

// ComponentToken returns a component's current token, or a new one if it has no valid token.
// ExpireTokens applies to it too.
func (s *Sim) ComponentToken(id string) (ComponentToken, error) {
	if !slices.ContainsFunc(s.components, func(c Component) bool { return c.ID == id }) {
		return ComponentToken{}, fmt.Errorf("%w: component %q", ErrUnknownApp, id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.plain[id]; t == nil || !s.Now().Before(t.expires) {
		s.plain[id] = s.newToken(id)
	}
	g := s.grantOf(s.plain[id])
	return ComponentToken{Token: g.AccessToken, ExpiresIn: g.ExpiresIn}, nil
}

// componentCodeToSession is GET /sns/component/jscode2session (小程序登录, for
// third-party platforms). The call has no app secret; the token must be the component's. The
// order of the checks is the simulator's choice.
// https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/miniprogram-management/login/thirdpartyCode2Session.html
func (s *Sim) componentCodeToSession(c call) protocol.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner, errcode := s.checkToken(c.query.Get("component_access_token"))
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	at := slices.IndexFunc(s.components, func(known Component) bool { return known.ID == c.query.Get("component_appid") })
	appid := c.query.Get("appid")
	known := s.isMiniProgram(appid)
	switch {
	case at < 0 || !known:
		return failure(c.path, protocol.ErrAppID)
	case owner != s.components[at].ID:
		return failure(c.path, protocol.ErrInvalidToken)
	case s.components[at].Apps != nil && !slices.Contains(s.components[at].Apps, appid):
		return failure(c.path, protocol.ErrNotAuthorized)
	case c.query.Get("grant_type") != "authorization_code":
		return failure(c.path, protocol.ErrGrantType)
	}
	return s.spendLogin(c)
}

// Signature proves to WeChat that a server knows a session_key:
// hex(HMAC-SHA256(session_key, "")), with the bytes of the base64 string as the key, not
// decoded.
func Signature(sessionKey string) string {
	mac := hmac.New(sha256.New, []byte(sessionKey))
	return hex.EncodeToString(mac.Sum(nil))
}

// checkSession is GET /wxa/checksession (检验登录态).
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/checkSessionKey.html
func (s *Sim) checkSession(c call) protocol.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, errcode := s.signedUser(c); errcode != 0 {
		return failure(c.path, errcode)
	}
	return protocol.Success(struct {
		ErrCode int    `json:"errcode"`
		ErrMsg  string `json:"errmsg"`
	}{0, "ok"})
}

// resetSessionKey is GET /wxa/resetusersessionkey (重置登录态). The old key is
// invalid once the new one is returned.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/ResetUserSessionKey.html
func (s *Sim) resetSessionKey(c call) protocol.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	who, errcode := s.signedUser(c)
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	who.sessionKey = s.newSessionKey(who.app)
	return protocol.Success(struct {
		ErrCode    int    `json:"errcode"`
		ErrMsg     string `json:"errmsg"`
		OpenID     string `json:"openid"`
		SessionKey string `json:"session_key"`
	}{0, "ok", who.openid, who.sessionKey})
}

// signedUser returns the user of a call after checking that the caller has the current
// session_key. A user who never logged in has none: 87007. The signature must be lower-case
// hex, as in the documented sample. It is called with s.mu held.
func (s *Sim) signedUser(c call) (*user, int) {
	app, errcode := s.checkToken(c.query.Get("access_token"))
	if errcode != 0 {
		return nil, errcode
	}
	who, ok := s.users[userKey{app: app, openid: c.query.Get("openid")}]
	switch {
	case c.query.Get("openid") == "":
		return nil, protocol.ErrOpenIDMissing
	case c.query.Get("sig_method") != "hmac_sha256":
		return nil, protocol.ErrSigMethod
	case !ok || who.sessionKey == "":
		return nil, protocol.ErrSessionKeyAbsent
	case c.query.Get("signature") != Signature(who.sessionKey):
		return nil, protocol.ErrSignature
	}
	return who, 0
}
