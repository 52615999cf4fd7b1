package wechatsim

import (
	"net/http"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

// douyinRoutes is Douyin's API.
// https://developer.open-douyin.com/docs/resource/zh-CN/mini-app/develop/server/log-in/code-2-session
var douyinRoutes = map[string]route{
	"/douyin/api/apps/v2/jscode2session": {http.MethodPost, protocol.ErrDouyinMissing, (*Sim).douyinSession},
	"/douyin/api/apps/v2/token":          {http.MethodPost, protocol.ErrDouyinMissing, (*Sim).douyinToken},
}

// douyinApp checks who asks; 0 is an app with its secret.
func (s *Sim) douyinApp(appID, secret string) int {
	app, ok := s.appOn(Douyin, appID)
	switch {
	case !ok:
		return protocol.ErrDouyinApp
	case secret != app.Secret:
		return protocol.ErrDouyinSecret
	default:
		return 0
	}
}

// douyinSession is POST /api/apps/v2/jscode2session. Anonymous codes are not
// simulated: each is a wrong one.
func (s *Sim) douyinSession(c call) protocol.Response {
	var in struct {
		AppID     string `json:"appid"`
		Secret    string `json:"secret"`
		Code      string `json:"code"`
		Anonymous string `json:"anonymous_code"`
	}
	if protocol.Decode(c.body, &in) != 0 || in.AppID == "" || in.Secret == "" || in.Code == "" && in.Anonymous == "" {
		return failure(c.path, protocol.ErrDouyinMissing)
	}
	if errcode := s.douyinApp(in.AppID, in.Secret); errcode != 0 {
		return failure(c.path, errcode)
	}
	if in.Anonymous != "" {
		return failure(c.path, protocol.ErrDouyinAnonymous)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	who, errcode := s.spend(in.AppID, in.Code, refusals{protocol.ErrDouyinMissing, protocol.ErrDouyinCode, protocol.ErrDouyinCode})
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	return protocol.DouyinSuccess(struct {
		SessionKey      string `json:"session_key"`
		OpenID          string `json:"openid"`
		AnonymousOpenID string `json:"anonymous_openid"`
		UnionID         string `json:"unionid"`
		DOpenID         string `json:"dopenid"`
	}{who.sessionKey, who.openid, "", who.unionid, ""})
}

// douyinToken is POST /api/apps/v2/token.
func (s *Sim) douyinToken(c call) protocol.Response {
	var in struct {
		AppID     string `json:"appid"`
		Secret    string `json:"secret"`
		GrantType string `json:"grant_type"`
	}
	if protocol.Decode(c.body, &in) != 0 {
		return failure(c.path, protocol.ErrDouyinMissing)
	}
	if errcode := s.douyinApp(in.AppID, in.Secret); errcode != 0 {
		return failure(c.path, errcode)
	}
	if in.GrantType != "client_credential" {
		return failure(c.path, protocol.ErrDouyinGrant)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return protocol.DouyinSuccess(s.grantOf(s.renewToken(in.AppID)))
}
