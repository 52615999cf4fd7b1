package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/gateway/limit"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/problem"
)

// refererOrigin is the beginning of the Referer that WeChat sets on every request of a mini
// program. The appid and the version follow.
const refererOrigin = "https://servicewechat.com/"

type loginRequest struct {
	Code       string `json:"code"`
	AppID      string `json:"appid"`
	AppIDCamel string `json:"appId"`
	AppIDSnake string `json:"app_id"`
}

// loginResponse has the shape that old clients read: session_key, in both spellings, has a
// handle instead of WeChat's key.
type loginResponse struct {
	OpenID          auth.OpenID  `json:"openId"`
	UnionID         auth.UnionID `json:"unionId,omitzero"`
	AppID           auth.AppID   `json:"appId"`
	SessionKey      string       `json:"session_key"`
	SessionKeyCamel string       `json:"sessionKey"`
	tokenPair
}

// serveLogin is POST {prefix}/openId.
func (g *Gateway) serveLogin(c *call) error {
	var in loginRequest
	if err := problem.ReadJSON(c.w, c.r, &in); err != nil {
		return err
	}
	if in.Code == "" {
		return problem.BadRequest("Send the code of wx.login as the field code.")
	}
	appid, err := problem.Either("appid", in.AppID, in.AppIDCamel, in.AppIDSnake)
	if err != nil {
		return err
	}
	grant, err := g.login(c, appid, in.Code, c.runtime.Service.Login)
	if err != nil {
		return err
	}
	return c.respond(loginResponse{
		OpenID:          grant.Identity.OpenID,
		UnionID:         grant.Identity.UnionID,
		AppID:           grant.Identity.App,
		SessionKey:      grant.Handle,
		SessionKeyCamel: grant.Handle,
		tokenPair:       newTokenPair(grant),
	})
}

// exchange is one of the service's logins.
type exchange func(ctx context.Context, app auth.AppID, code string, from auth.Client) (*auth.Grant, error)

// login exchanges a code, within the site's limits.
func (g *Gateway) login(c *call, appid, code string, spend exchange) (*auth.Grant, error) {
	app, err := g.loginApp(c.r, appid)
	if err != nil {
		return nil, err
	}
	grant, err := g.exchange(c, app, code, spend)
	metrics.ObserveLogin(app, err)
	act := audit.Event{Action: audit.Login, App: app}
	if err != nil {
		g.record(c, act, nil, err)
		return nil, err
	}
	if grant.Identity.Risk != 0 || grant.Unranked != nil {
		act.Risk = grant.Identity.Risk.String()
		metrics.LoginRisks.WithLabelValues(string(app), act.Risk).Inc()
	}
	if grant.Unranked != nil {
		g.log("user not ranked by WeChat", problem.Of(c.runtime.OfApp(app, grant.Unranked)), c.r)
	}
	g.record(c, act, &grant.Identity, nil)
	c.runtime.RecordEnded(grant)
	return grant, nil
}

// exchange exchanges a code of an app that the site admits.
func (g *Gateway) exchange(c *call, app auth.AppID, code string, spend exchange) (*auth.Grant, error) {
	leave, err := g.admit(c, g.config.Limits.AdmitLogin)
	if err != nil {
		return nil, err
	}
	defer leave()
	grant, err := spend(c.r.Context(), app, code, auth.Client{Device: edge.DeviceOf(c.r.Header), Address: g.Server.ClientIP(c.r)})
	return grant, c.runtime.OfApp(app, err)
}

// admit counts one request against a limit of the client's network, and as a concurrent call to
// WeChat.
func (g *Gateway) admit(c *call, take limit.OfNetwork) (leave func(), err error) {
	if err := take(c.r.Context(), c.runtime.Take, limit.Network(g.Server.ClientIP(c.r))); err != nil {
		return nil, err
	}
	return g.config.Limits.Enter()
}

// loginApp returns the mini program that a code belongs to: the body's appid, or the Referer's,
// or the only app that this site admits. A client that sends another appid gains nothing:
// WeChat refuses the code.
func (g *Gateway) loginApp(r *http.Request, appid string) (auth.AppID, error) {
	if appid == "" {
		appid = refererApp(r.Header.Get("Referer"))
	}
	if appid != "" {
		app := auth.AppID(appid)
		if _, ok := g.logins[app]; !ok {
			return "", fmt.Errorf("%w: the login names an app that this site does not admit", auth.ErrUnknownApp)
		}
		return app, nil
	}
	if len(g.logins) > 1 {
		return "", problem.BadRequest("This site serves several mini programs. Send the field appid.")
	}
	for app := range g.logins {
		return app, nil
	}
	return "", auth.ErrUnknownApp
}

// refererApp returns the appid in a mini program's Referer, or "".
func refererApp(referer string) string {
	rest, ok := strings.CutPrefix(referer, refererOrigin)
	if !ok {
		return ""
	}
	appid, _, ok := strings.Cut(rest, "/")
	if !ok || !auth.ValidID(appid) {
		return ""
	}
	return appid
}
