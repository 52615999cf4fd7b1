package wechatsim

import (
	"net/http"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

// qqRoutes is QQ's API.
// https://q.qq.com/wiki/develop/miniprogram/server/open_port/port_login.html
var qqRoutes = map[string]route{
	"/qq/sns/jscode2session": {http.MethodGet, protocol.ErrQQApp, (*Sim).qqSession},
	"/qq/api/getToken":       {http.MethodGet, protocol.ErrQQApp, (*Sim).qqToken},
}

// qqApp is who asks; false unless it is an app with its secret and the grant_type
// of the call.
func (s *Sim) qqApp(c call, grantType string) (appid string, ok bool) {
	appid = c.query.Get("appid")
	app, ok := s.appOn(QQ, appid)
	return appid, ok && c.query.Get("secret") == app.Secret && c.query.Get("grant_type") == grantType
}

// qqSession is GET /sns/jscode2session. The page has one code for all that is
// wrong with a code, and one for all that is wrong with the rest.
func (s *Sim) qqSession(c call) protocol.Response {
	appid, ok := s.qqApp(c, "authorization_code")
	if !ok {
		return failure(c.path, protocol.ErrQQApp)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	who, errcode := s.spend(appid, c.query.Get("js_code"), refusals{protocol.ErrInvalidCode, protocol.ErrInvalidCode, protocol.ErrInvalidCode})
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	return protocol.Success(struct {
		ErrCode    int    `json:"errcode"`
		ErrMsg     string `json:"errmsg"`
		OpenID     string `json:"openid"`
		SessionKey string `json:"session_key"`
		UnionID    string `json:"unionid"`
	}{0, "", who.openid, who.sessionKey, who.unionid})
}

// qqToken is GET /api/getToken.
func (s *Sim) qqToken(c call) protocol.Response {
	appid, ok := s.qqApp(c, "client_credential")
	if !ok {
		return failure(c.path, protocol.ErrQQApp)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return protocol.Success(struct {
		ErrCode int    `json:"errcode"`
		ErrMsg  string `json:"errmsg"`
		grant
	}{0, "ok", s.grantOf(s.renewToken(appid))})
}
