package gateway

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/wafer"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/problem"
)

// waferLoginCall is the name of the login in metrics.
const waferLoginCall = "wafer_login"

// waferUndoTimeout bounds the time to end a session whose token was not returned.
const waferUndoTimeout = 5 * time.Second

// waferLoginResponse is one body that both SDKs understand: wafer2-client-sdk reads code and
// data, wafer-client-sdk the magic member and session. Neither supports refresh tokens, so
// there is none: they log in again by themselves.
type waferLoginResponse struct {
	Code    int            `json:"code"` // 0
	Data    waferLoginData `json:"data"`
	Magic   int            `json:"F2C224D4-2BCE-4C64-AF9F-A6D872000D1A"` // 1
	Session waferSession   `json:"session"`
}

type waferLoginData struct {
	Skey     string         `json:"skey"`
	UserInfo jsontext.Value `json:"userinfo"`
}

type waferSession struct {
	ID   auth.SessionID `json:"id"`
	Skey string         `json:"skey"`
}

// waferUser is the profile of a user who sent no profile.
type waferUser struct {
	OpenID    auth.OpenID  `json:"openId"`
	UnionID   auth.UnionID `json:"unionId,omitzero"`
	Watermark watermark    `json:"watermark"`
}

// addWafer adds the SDKs' login to the endpoints.
func (g *Gateway) addWafer() error {
	path := g.config.WaferLogin
	if err := wafer.CheckLogin(path); err != nil {
		return err
	}
	if e, taken := g.endpoints[path]; taken {
		return fmt.Errorf("compat wafer: %s is already the call %s", path, e.name)
	}
	g.endpoints[path] = endpoint{name: waferLoginCall, method: http.MethodPost, also: http.MethodGet, serve: (*Gateway).serveWaferLogin}
	return nil
}

// forWafer extends a refusal for the SDKs, if the site serves them.
func (g *Gateway) forWafer(err error, r *http.Request, b bearer, login bool) error {
	if err == nil || !g.Wafer {
		return err
	}
	return wafer.Extend(problem.Of(err).For(r), b.wafer, login)
}

// serveWaferLogin is the login of the Wafer SDKs: GET or POST, with all input in
// headers. The Referer names the app, unless the site has only one.
func (g *Gateway) serveWaferLogin(c *call) error {
	in := c.bearer.wafer
	if in == nil {
		in = new(wafer.Headers)
	}
	switch {
	case in.Err != nil:
		return in.Err
	case in.Code == "":
		return problem.BadRequest("Send the code of wx.login as the header X-WX-Code.")
	case (in.Data == "") != (in.IV == ""):
		return problem.BadRequest("Send X-WX-Encrypted-Data and X-WX-IV together, or neither.")
	}
	grant, err := g.login(c, "", in.Code, c.runtime.Service.LoginOnce)
	if err != nil {
		return err
	}
	profile, err := g.waferProfile(c, grant, in)
	if err != nil {
		g.undoLogin(c, grant)
		return err
	}
	return WriteJSON(c.w, http.StatusOK, waferLoginResponse{
		Data:    waferLoginData{Skey: grant.AccessToken, UserInfo: profile},
		Magic:   1,
		Session: waferSession{ID: grant.Identity.Session, Skey: grant.AccessToken},
	})
}

// waferProfile returns the user's profile that the client sent, decrypted and checked, or the
// result of the login. It is only used in the response.
func (g *Gateway) waferProfile(c *call, grant *auth.Grant, in *wafer.Headers) (jsontext.Value, error) {
	id := &grant.Identity
	if in.Data != "" {
		if err := g.config.Limits.AdmitDecode(c.r.Context(), c.runtime.Take, id.User); err != nil {
			metrics.ObserveDecode(id.App, err)
			return nil, err
		}
		profile, err := c.runtime.Service.Profile(c.r.Context(), id, auth.OpenData{EncryptedData: in.Data, IV: in.IV}, g.admits)
		metrics.ObserveDecode(id.App, err)
		return profile, err
	}
	return json.Marshal(waferUser{
		OpenID:    id.OpenID,
		UnionID:   id.UnionID,
		Watermark: watermark{Timestamp: id.IssuedAt.Unix(), AppID: id.App},
	})
}

// undoLogin ends the session of a login that was refused later. Its token was not returned.
// Without this, the store would keep the session for a week.
func (g *Gateway) undoLogin(c *call, grant *auth.Grant) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), waferUndoTimeout)
	defer cancel()
	err := c.runtime.Service.Logout(ctx, &grant.Identity, false)
	g.record(c, audit.Event{Action: audit.Logout}, &grant.Identity, err)
	if err != nil {
		g.Logger.Error("ending the session of a refused Wafer login failed", zap.Error(err))
	}
}
