package wechatsim

import (
	"net/http"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

// wecomRoutes is WeCom's API, for a company's own app.
// https://developer.work.weixin.qq.com/document/path/91507
var wecomRoutes = map[string]route{
	"/wecom/cgi-bin/gettoken":                   {http.MethodGet, protocol.ErrRequireGet, (*Sim).wecomToken},
	"/wecom/cgi-bin/miniprogram/jscode2session": {http.MethodGet, protocol.ErrRequireGet, (*Sim).wecomSession},
}

// wecomToken is GET /cgi-bin/gettoken: the same token to everybody, until it ends.
func (s *Sim) wecomToken(c call) protocol.Response {
	corpid := c.query.Get("corpid")
	app, ok := s.appOn(WeCom, corpid)
	switch {
	case corpid == "":
		return failure(c.path, protocol.ErrAppIDMissing)
	case !ok:
		return failure(c.path, protocol.ErrAppID)
	case c.query.Get("corpsecret") != app.Secret:
		return failure(c.path, protocol.ErrWeComSecret)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.plain[corpid]; t == nil || !s.Now().Before(t.expires) {
		s.plain[corpid] = s.newToken(corpid)
	}
	return protocol.Success(struct {
		ErrCode int    `json:"errcode"`
		ErrMsg  string `json:"errmsg"`
		grant
	}{0, "ok", s.grantOf(s.plain[corpid])})
}

// wecomSession is GET /cgi-bin/miniprogram/jscode2session. A person of another
// company than the app's gets a response like any other, with that company's corpid:
// see [Login.CorpID].
func (s *Sim) wecomSession(c call) protocol.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, errcode := s.checkToken(c.query.Get("access_token"))
	switch {
	case errcode == protocol.ErrInvalidToken:
		return failure(c.path, protocol.ErrWeComToken)
	case errcode != 0:
		return failure(c.path, errcode)
	case c.query.Get("grant_type") != "authorization_code":
		return failure(c.path, protocol.ErrGrantType)
	}
	who, errcode := s.spend(app, c.query.Get("js_code"), refusals{protocol.ErrCodeMissing, protocol.ErrInvalidCode, protocol.ErrInvalidCode})
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	corpid := app
	if who.corpID != "" {
		corpid = who.corpID
	}
	return protocol.Success(struct {
		CorpID     string `json:"corpid"`
		UserID     string `json:"userid"`
		SessionKey string `json:"session_key"`
		ErrCode    int    `json:"errcode"`
		ErrMsg     string `json:"errmsg"`
	}{corpid, who.openid, who.sessionKey, 0, "ok"})
}
