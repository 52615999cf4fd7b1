package wechatsim

import (
	"encoding/json"
	"net/http"
	"time"
)

// Xiaohongshu's codes. errXiaohongshuBusy and errXiaohongshuToken stand on pages
// and in answers that can be seen; the page on the others cannot be read without
// an account, and their numbers are this simulator's.
const (
	errXiaohongshuBusy      = 2
	errXiaohongshuToken     = 410101
	errXiaohongshuParameter = 400000
	errXiaohongshuCode      = 400001
	errXiaohongshuApp       = 400002
)

var xiaohongshuMessages = map[int]string{
	errXiaohongshuBusy:      "系统异常，请稍后重试",
	errXiaohongshuToken:     "应用访问令牌不匹配",
	errXiaohongshuParameter: "参数错误",
	errXiaohongshuCode:      "code无效",
	errXiaohongshuApp:       "应用不存在或密钥错误",
}

func xiaohongshuRefusal(code json.RawMessage, message, _ string) any {
	return struct {
		Success bool            `json:"success"`
		Msg     string          `json:"msg"`
		Data    any             `json:"data"`
		Code    json.RawMessage `json:"code"`
	}{false, message, nil, code}
}

func xiaohongshuSuccess(data any) answer {
	return success(struct {
		Data    any    `json:"data"`
		Success bool   `json:"success"`
		Msg     string `json:"msg"`
		Code    int    `json:"code"`
	}{data, true, "success", 0})
}

// xiaohongshuRoutes is Xiaohongshu's API.
// https://miniapp.xiaohongshu.com/doc/DC724193
var xiaohongshuRoutes = map[string]route{
	"/xiaohongshu/api/rmp/session": {http.MethodGet, errXiaohongshuParameter, (*Sim).xiaohongshuSession},
	"/xiaohongshu/api/rmp/token":   {http.MethodPost, errXiaohongshuParameter, (*Sim).xiaohongshuToken},
}

// xiaohongshuSession is GET /api/rmp/session. The token is looked at first.
func (s *Sim) xiaohongshuSession(c call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, errcode := s.checkToken(c.query.Get("access_token"))
	if errcode != 0 || app != c.query.Get("app_id") {
		return failure(c.path, errXiaohongshuToken)
	}
	who, errcode := s.spend(app, c.query.Get("code"), refusals{errXiaohongshuParameter, errXiaohongshuCode, errXiaohongshuCode})
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	return xiaohongshuSuccess(struct {
		OpenID     string `json:"openid"`
		SessionKey string `json:"session_key"`
	}{who.openid, who.sessionKey})
}

// xiaohongshuToken is POST /api/rmp/token. A new token leaves the one before five
// minutes, and the one before that nothing: no more than two live.
func (s *Sim) xiaohongshuToken(c call) answer {
	var in struct {
		AppID  string `json:"appid"`
		Secret string `json:"secret"`
	}
	if c.decode(&in) != 0 {
		return failure(c.path, errXiaohongshuParameter)
	}
	if app, ok := s.appOn(Xiaohongshu, in.AppID); !ok || in.Secret != app.Secret {
		return failure(c.path, errXiaohongshuApp)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens.items {
		if t.app == in.AppID && !t.revoked.IsZero() {
			t.revoked = s.Now()
		}
	}
	fresh := s.renewToken(in.AppID)
	return xiaohongshuSuccess(struct {
		AccessToken string `json:"access_token"`
		ExpireIn    int    `json:"expire_in"`
	}{fresh.value, int(fresh.expires.Sub(s.Now()) / time.Second)})
}
