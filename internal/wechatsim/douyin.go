package wechatsim

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
)

// Douyin's codes, from the page on code2Session; errDouyinGrant is of the page on
// getAccessToken.
const (
	errDouyinMissing   = 40014
	errDouyinApp       = 40015
	errDouyinSecret    = 40017
	errDouyinCode      = 40018
	errDouyinAnonymous = 40019
	errDouyinGrant     = 40020
)

var douyinMessages = map[int]string{
	errBusy:            "system error",
	errDouyinMissing:   "missing params",
	errDouyinApp:       "bad appid",
	errDouyinSecret:    "bad secret",
	errDouyinCode:      "bad code",
	errDouyinAnonymous: "bad anonymous code",
	errDouyinGrant:     "grant_type is not client_credential",
}

func douyinRefusal(code json.RawMessage, message, _ string) any {
	return struct {
		ErrNo   json.RawMessage `json:"err_no"`
		ErrTips string          `json:"err_tips"`
		LogID   string          `json:"log_id"`
		Data    any             `json:"data"`
	}{code, message, rand.Text(), nil}
}

// douyinSuccess has what was asked for under data.
func douyinSuccess(data any) answer {
	return success(struct {
		ErrNo   int    `json:"err_no"`
		ErrTips string `json:"err_tips"`
		LogID   string `json:"log_id"`
		Data    any    `json:"data"`
	}{0, "success", rand.Text(), data})
}

// douyinRoutes is Douyin's API.
// https://developer.open-douyin.com/docs/resource/zh-CN/mini-app/develop/server/log-in/code-2-session
var douyinRoutes = map[string]route{
	"/douyin/api/apps/v2/jscode2session": {http.MethodPost, errDouyinMissing, (*Sim).douyinSession},
	"/douyin/api/apps/v2/token":          {http.MethodPost, errDouyinMissing, (*Sim).douyinToken},
}

// douyinApp checks who asks; 0 is an app with its secret.
func (s *Sim) douyinApp(appID, secret string) int {
	app, ok := s.appOn(Douyin, appID)
	switch {
	case !ok:
		return errDouyinApp
	case secret != app.Secret:
		return errDouyinSecret
	default:
		return 0
	}
}

// douyinSession is POST /api/apps/v2/jscode2session. Anonymous codes are not
// simulated: each is a wrong one.
func (s *Sim) douyinSession(c call) answer {
	var in struct {
		AppID     string `json:"appid"`
		Secret    string `json:"secret"`
		Code      string `json:"code"`
		Anonymous string `json:"anonymous_code"`
	}
	if c.decode(&in) != 0 || in.AppID == "" || in.Secret == "" || in.Code == "" && in.Anonymous == "" {
		return failure(c.path, errDouyinMissing)
	}
	if errcode := s.douyinApp(in.AppID, in.Secret); errcode != 0 {
		return failure(c.path, errcode)
	}
	if in.Anonymous != "" {
		return failure(c.path, errDouyinAnonymous)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	who, errcode := s.spend(in.AppID, in.Code, refusals{errDouyinMissing, errDouyinCode, errDouyinCode})
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	return douyinSuccess(struct {
		SessionKey      string `json:"session_key"`
		OpenID          string `json:"openid"`
		AnonymousOpenID string `json:"anonymous_openid"`
		UnionID         string `json:"unionid"`
		DOpenID         string `json:"dopenid"`
	}{who.sessionKey, who.openid, "", who.unionid, ""})
}

// douyinToken is POST /api/apps/v2/token.
func (s *Sim) douyinToken(c call) answer {
	var in struct {
		AppID     string `json:"appid"`
		Secret    string `json:"secret"`
		GrantType string `json:"grant_type"`
	}
	if c.decode(&in) != 0 {
		return failure(c.path, errDouyinMissing)
	}
	if errcode := s.douyinApp(in.AppID, in.Secret); errcode != 0 {
		return failure(c.path, errcode)
	}
	if in.GrantType != "client_credential" {
		return failure(c.path, errDouyinGrant)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return douyinSuccess(s.grantOf(s.renewToken(in.AppID)))
}
