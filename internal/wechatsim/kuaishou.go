package wechatsim

import (
	"net/http"
	"net/url"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

const (
	// kuaishouCodeLifetime is twice that of everybody else's.
	kuaishouCodeLifetime = 10 * time.Minute
	// kuaishouTokenLifetime is two days. Old tokens live on beside new ones.
	kuaishouTokenLifetime = 48 * time.Hour
)

// kuaishouRoutes is Kuaishou's API.
// https://mp.kuaishou.com/docs/develop/server/code2Session.html
var kuaishouRoutes = map[string]route{
	"/kuaishou/oauth2/mp/code2session": {http.MethodPost, protocol.ErrKuaishouParameter, (*Sim).kuaishouSession},
	"/kuaishou/oauth2/access_token":    {http.MethodPost, protocol.ErrKuaishouParameter, (*Sim).kuaishouToken},
}

// kuaishouForm reads the form and checks the app in it.
func (s *Sim) kuaishouForm(c call) (url.Values, int) {
	form, err := url.ParseQuery(string(c.body))
	if err != nil || form.Get("app_id") == "" || form.Get("app_secret") == "" {
		return nil, protocol.ErrKuaishouParameter
	}
	if app, ok := s.appOn(Kuaishou, form.Get("app_id")); !ok || form.Get("app_secret") != app.Secret {
		return nil, protocol.ErrKuaishouApp
	}
	return form, 0
}

// kuaishouSession is POST /oauth2/mp/code2session.
func (s *Sim) kuaishouSession(c call) protocol.Response {
	form, errcode := s.kuaishouForm(c)
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	who, errcode := s.spend(form.Get("app_id"), form.Get("js_code"), refusals{protocol.ErrKuaishouParameter, protocol.ErrKuaishouCode, protocol.ErrKuaishouCode})
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	return protocol.Success(struct {
		Result     int    `json:"result"`
		SessionKey string `json:"session_key"`
		OpenID     string `json:"open_id"`
		UnionID    string `json:"union_id,omitempty"`
	}{1, who.sessionKey, who.openid, who.unionid})
}

// kuaishouToken is POST /oauth2/access_token.
func (s *Sim) kuaishouToken(c call) protocol.Response {
	form, errcode := s.kuaishouForm(c)
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	if form.Get("grant_type") != "client_credentials" {
		return failure(c.path, protocol.ErrKuaishouGrant)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := s.newToken(form.Get("app_id"))
	fresh.expires = s.Now().Add(kuaishouTokenLifetime)
	return protocol.Success(struct {
		Result int `json:"result"`
		grant
		TokenType string `json:"token_type"`
	}{1, s.grantOf(fresh), "bearer"})
}
