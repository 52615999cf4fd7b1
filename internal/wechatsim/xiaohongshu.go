package wechatsim

import (
	"net/http"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

// xiaohongshuRoutes is Xiaohongshu's API.
// https://miniapp.xiaohongshu.com/doc/DC724193
var xiaohongshuRoutes = map[string]route{
	"/xiaohongshu/api/rmp/session": {http.MethodGet, protocol.ErrXiaohongshuParameter, (*Sim).xiaohongshuSession},
	"/xiaohongshu/api/rmp/token":   {http.MethodPost, protocol.ErrXiaohongshuParameter, (*Sim).xiaohongshuToken},
}

// xiaohongshuSession is GET /api/rmp/session. The token is looked at first.
func (s *Sim) xiaohongshuSession(c call) protocol.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, errcode := s.checkToken(c.query.Get("access_token"))
	if errcode != 0 || app != c.query.Get("app_id") {
		return failure(c.path, protocol.ErrXiaohongshuToken)
	}
	who, errcode := s.spend(app, c.query.Get("code"), refusals{protocol.ErrXiaohongshuParameter, protocol.ErrXiaohongshuCode, protocol.ErrXiaohongshuCode})
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	return protocol.XiaohongshuSuccess(struct {
		OpenID     string `json:"openid"`
		SessionKey string `json:"session_key"`
	}{who.openid, who.sessionKey})
}

// xiaohongshuToken is POST /api/rmp/token. A new token leaves the one before five
// minutes, and the one before that nothing: no more than two live.
func (s *Sim) xiaohongshuToken(c call) protocol.Response {
	var in struct {
		AppID  string `json:"appid"`
		Secret string `json:"secret"`
	}
	if protocol.Decode(c.body, &in) != 0 {
		return failure(c.path, protocol.ErrXiaohongshuParameter)
	}
	if app, ok := s.appOn(Xiaohongshu, in.AppID); !ok || in.Secret != app.Secret {
		return failure(c.path, protocol.ErrXiaohongshuApp)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens.All() {
		if t.app == in.AppID && !t.revoked.IsZero() {
			t.revoked = s.Now()
		}
	}
	fresh := s.renewToken(in.AppID)
	return protocol.XiaohongshuSuccess(struct {
		AccessToken string `json:"access_token"`
		ExpireIn    int    `json:"expire_in"`
	}{fresh.value, int(fresh.expires.Sub(s.Now()) / time.Second)})
}
