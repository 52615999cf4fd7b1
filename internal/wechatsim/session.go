package wechatsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// Signature is what proves to WeChat that a server knows a session_key:
// hex(HMAC-SHA256(session_key, "")), the key being the bytes of the base64
// string itself, not what it decodes to.
func Signature(sessionKey string) string {
	mac := hmac.New(sha256.New, []byte(sessionKey))
	return hex.EncodeToString(mac.Sum(nil))
}

// checkSession is GET /wxa/checksession (检验登录态).
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/checkSessionKey.html
func (s *Sim) checkSession(c call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, errcode := s.signedUser(c); errcode != 0 {
		return failure(c.path, errcode)
	}
	return success(struct {
		ErrCode int    `json:"errcode"`
		ErrMsg  string `json:"errmsg"`
	}{0, "ok"})
}

// resetSessionKey is GET /wxa/resetusersessionkey (重置登录态). The old key is
// dead once the new one is answered.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/ResetUserSessionKey.html
func (s *Sim) resetSessionKey(c call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	who, errcode := s.signedUser(c)
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	who.sessionKey = s.newSessionKey(who.app)
	return success(struct {
		ErrCode    int    `json:"errcode"`
		ErrMsg     string `json:"errmsg"`
		OpenID     string `json:"openid"`
		SessionKey string `json:"session_key"`
	}{0, "ok", who.openid, who.sessionKey})
}

// signedUser finds the user a call is about and checks that the caller holds
// the current session_key. Someone who never logged in has none: 87007. The
// signature must be lower-case hex, as in the page's sample. Hold s.mu.
func (s *Sim) signedUser(c call) (*user, int) {
	app, errcode := s.checkToken(c.query.Get("access_token"))
	if errcode != 0 {
		return nil, errcode
	}
	who, ok := s.users[userKey{app: app, openid: c.query.Get("openid")}]
	switch {
	case c.query.Get("openid") == "":
		return nil, errOpenIDMissing
	case c.query.Get("sig_method") != "hmac_sha256":
		return nil, errSigMethod
	case !ok || who.sessionKey == "":
		return nil, errSessionKeyAbsent
	case c.query.Get("signature") != Signature(who.sessionKey):
		return nil, errSignature
	}
	return who, 0
}
