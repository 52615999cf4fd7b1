package wechatsim

import "net/http"

// WeCom's codes that are not WeChat's, from its global list.
// https://developer.work.weixin.qq.com/document/path/90313
const errWeComSecret = 40001

var wecomMessages = map[int]string{
	errBusy:         "system busy",
	errWeComSecret:  "invalid credential",
	errAppID:        "invalid corpid",
	errInvalidCode:  "invalid code",
	errTokenMissing: "access_token missing",
	errWeComToken:   "invalid access_token",
	errTokenExpired: "access_token expired",
	errAppIDMissing: "corpid missing",
	errCodeMissing:  "missing code",
	errDailyQuota:   "api freq out of limit",
	errRequireGet:   "require GET method",
	errGrantType:    "invalid grant_type",
}

// errWeComToken is for a token that WeCom does not know; WeChat says 40001.
const errWeComToken = 40014

// wecomRoutes is WeCom's API, for a company's own app.
// https://developer.work.weixin.qq.com/document/path/91507
var wecomRoutes = map[string]route{
	"/wecom/cgi-bin/gettoken":                   {http.MethodGet, errRequireGet, (*Sim).wecomToken},
	"/wecom/cgi-bin/miniprogram/jscode2session": {http.MethodGet, errRequireGet, (*Sim).wecomSession},
}

// wecomToken is GET /cgi-bin/gettoken: the same token to everybody, until it ends.
func (s *Sim) wecomToken(c call) answer {
	corpid := c.query.Get("corpid")
	app, ok := s.appOn(WeCom, corpid)
	switch {
	case corpid == "":
		return failure(c.path, errAppIDMissing)
	case !ok:
		return failure(c.path, errAppID)
	case c.query.Get("corpsecret") != app.Secret:
		return failure(c.path, errWeComSecret)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.plain[corpid]; t == nil || !s.Now().Before(t.expires) {
		s.plain[corpid] = s.newToken(corpid)
	}
	return success(struct {
		ErrCode int    `json:"errcode"`
		ErrMsg  string `json:"errmsg"`
		grant
	}{0, "ok", s.grantOf(s.plain[corpid])})
}

// wecomSession is GET /cgi-bin/miniprogram/jscode2session. A person of another
// company than the app's is answered like any other, with that company's corpid:
// see [Login.CorpID].
func (s *Sim) wecomSession(c call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, errcode := s.checkToken(c.query.Get("access_token"))
	switch {
	case errcode == errInvalidToken:
		return failure(c.path, errWeComToken)
	case errcode != 0:
		return failure(c.path, errcode)
	case c.query.Get("grant_type") != "authorization_code":
		return failure(c.path, errGrantType)
	}
	who, errcode := s.spend(app, c.query.Get("js_code"), refusals{errCodeMissing, errInvalidCode, errInvalidCode})
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	corpid := app
	if who.corpID != "" {
		corpid = who.corpID
	}
	return success(struct {
		CorpID     string `json:"corpid"`
		UserID     string `json:"userid"`
		SessionKey string `json:"session_key"`
		ErrCode    int    `json:"errcode"`
		ErrMsg     string `json:"errmsg"`
	}{corpid, who.openid, who.sessionKey, 0, "ok"})
}
