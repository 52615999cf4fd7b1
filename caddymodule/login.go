package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

// refererOrigin is what WeChat sets as Referer on every request of a mini
// program, followed by the appid and the version.
const refererOrigin = "https://servicewechat.com/"

type loginRequest struct {
	Code       string `json:"code"`
	AppID      string `json:"appid"`
	AppIDCamel string `json:"appId"`
	AppIDSnake string `json:"app_id"`
}

// loginAnswer keeps the shape that old clients read: session_key holds a handle,
// in both spellings, where WeChat's key once stood.
type loginAnswer struct {
	OpenID          auth.OpenID  `json:"openId"`
	UnionID         auth.UnionID `json:"unionId,omitzero"`
	AppID           auth.AppID   `json:"appId"`
	SessionKey      string       `json:"session_key"`
	SessionKeyCamel string       `json:"sessionKey"`
	pairAnswer
}

// serveLogin is POST {prefix}/openId.
func (h *Handler) serveLogin(c *call) error {
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
	grant, err := h.login(c, appid, in.Code, c.runtime.service.Login)
	if err != nil {
		return err
	}
	return answerJSON(c.w, http.StatusOK, loginAnswer{
		OpenID:          grant.Identity.OpenID,
		UnionID:         grant.Identity.UnionID,
		AppID:           grant.Identity.App,
		SessionKey:      grant.Handle,
		SessionKeyCamel: grant.Handle,
		pairAnswer:      newPairAnswer(grant),
	})
}

// spender is one of the service's logins.
type spender func(ctx context.Context, app auth.AppID, code string) (*auth.Grant, error)

// login spends a code, within the site's limits.
func (h *Handler) login(c *call, appid, code string, spend spender) (*auth.Grant, error) {
	app, err := h.loginApp(c.r, appid)
	if err != nil {
		return nil, err
	}
	if err := h.limits.admitLogin(c); err != nil {
		return nil, err
	}
	leave, err := h.limits.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	grant, err := spend(c.r.Context(), app, code)
	return grant, c.runtime.ofApp(app, err)
}

// loginApp decides which mini program a code belongs to: the body's appid, else
// the Referer's, else the only one that this site admits. A wrong guess gives
// nothing away: WeChat refuses a code of another app.
func (h *Handler) loginApp(r *http.Request, appid string) (auth.AppID, error) {
	if appid == "" {
		appid = refererApp(r.Header.Get("Referer"))
	}
	if appid != "" {
		app := auth.AppID(appid)
		if !h.admits(app) {
			return "", fmt.Errorf("%w: the login names an app that this site does not admit", auth.ErrUnknownApp)
		}
		return app, nil
	}
	if len(h.admitted) != 1 {
		return "", problem.BadRequest("This site serves several mini programs. Send the field appid.")
	}
	for app := range h.admitted {
		return app, nil
	}
	return "", auth.ErrUnknownApp
}

// refererApp is the appid in a mini program's Referer, "" in any other.
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
