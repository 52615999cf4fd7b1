package wechatsim

import (
	"fmt"
	"net/http"
	"slices"
)

// errNotAuthorized is what a third-party platform gets for an app whose owner has
// not let it in.
const errNotAuthorized = 61003

// A Component is a third-party platform registered with the simulated WeChat.
type Component struct {
	ID   string
	Apps []string // appids that let it in; default: all
}

// A ComponentToken is what api_component_token answers, and what the platform's
// operator hands on to whoever logs users in.
type ComponentToken struct {
	Token     string `json:"component_access_token"`
	ExpiresIn int    `json:"expires_in"`
}

// ComponentToken returns a component's current token, a new one if it has none
// that lives. ExpireTokens ends it like any other.
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

// manageComponentToken plays the operator's token service, which asks WeChat for
// the token with the ticket that WeChat pushes to it.
func manageComponentToken(s *Sim, r *http.Request) (any, error) {
	var in struct {
		Component string `json:"component"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	return orNil(s.ComponentToken(in.Component))
}

// componentCodeToSession is GET /sns/component/jscode2session (小程序登录, for
// third-party platforms). The app has no secret here; the token must be the
// component's own. The order of the checks is this simulator's.
// https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/miniprogram-management/login/thirdpartyCode2Session.html
func (s *Sim) componentCodeToSession(c call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner, errcode := s.checkToken(c.query.Get("component_access_token"))
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	at := slices.IndexFunc(s.components, func(known Component) bool { return known.ID == c.query.Get("component_appid") })
	appid := c.query.Get("appid")
	_, known := s.appOn(WeChat, appid)
	switch {
	case at < 0 || !known:
		return failure(c.path, errAppID)
	case owner != s.components[at].ID:
		return failure(c.path, errInvalidToken)
	case s.components[at].Apps != nil && !slices.Contains(s.components[at].Apps, appid):
		return failure(c.path, errNotAuthorized)
	case c.query.Get("grant_type") != "authorization_code":
		return failure(c.path, errGrantType)
	}
	return s.spendLogin(c)
}
