package caddymodule

import (
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

// waferLoginCall is the login's name in metrics.
const waferLoginCall = "wafer_login"

// waferUndoTimeout bounds the end of a session that nobody was told of.
const waferUndoTimeout = 5 * time.Second

// waferLoginAnswer is one body that both SDKs understand: wafer2-client-sdk
// reads code and data, wafer-client-sdk the magic member and session. Neither
// knows refresh tokens, so there is none: they log in again by themselves.
type waferLoginAnswer struct {
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

// waferUser stands for the profile of a user who sent none.
type waferUser struct {
	OpenID    auth.OpenID     `json:"openId"`
	UnionID   auth.UnionID    `json:"unionId,omitzero"`
	Watermark watermarkAnswer `json:"watermark"`
}

// serveWaferLogin is the login of the Wafer SDKs: GET, or POST where a client
// was told so, with all input in headers. The Referer, or there being one app
// only, says which app it is.
func (h *Handler) serveWaferLogin(c *call) error {
	in := c.bearer.wafer
	switch {
	case in == nil:
		return problem.BadRequest("Send the code of wx.login as the header X-WX-Code.")
	case in.err != nil:
		return in.err
	case in.code == "":
		return problem.BadRequest("Send the code of wx.login as the header X-WX-Code.")
	case (in.data == "") != (in.iv == ""):
		return problem.BadRequest("Send X-WX-Encrypted-Data and X-WX-IV together, or neither.")
	}
	grant, err := h.login(c, "", in.code, c.runtime.service.LoginOnce)
	if err != nil {
		return err
	}
	profile, err := h.waferProfile(c, grant, in)
	if err != nil {
		h.undoLogin(c, grant)
		return err
	}
	return answerJSON(c.w, http.StatusOK, waferLoginAnswer{
		Data:    waferLoginData{Skey: grant.AccessToken, UserInfo: profile},
		Magic:   1,
		Session: waferSession{ID: grant.Identity.Session, Skey: grant.AccessToken},
	})
}

// waferProfile is what the client sent of its user, decrypted and checked, or
// what the login itself told. It goes into the answer and nowhere else.
func (h *Handler) waferProfile(c *call, grant *auth.Grant, in *waferHeaders) (jsontext.Value, error) {
	id := &grant.Identity
	if in.data != "" {
		if err := h.limits.admitDecode(c, id.User); err != nil {
			metrics.observeDecode(id.App, err)
			return nil, err
		}
		profile, err := c.runtime.service.Profile(c.r.Context(), id, auth.OpenData{EncryptedData: in.data, IV: in.iv}, h.admits)
		metrics.observeDecode(id.App, err)
		return profile, err
	}
	return json.Marshal(waferUser{
		OpenID:    id.OpenID,
		UnionID:   id.UnionID,
		Watermark: watermarkAnswer{Timestamp: id.IssuedAt.Unix(), AppID: id.App},
	})
}

// undoLogin ends a session whose login is refused after all. Its token was told
// to nobody; what is left to do is not to keep it for a week.
func (h *Handler) undoLogin(c *call, grant *auth.Grant) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), waferUndoTimeout)
	defer cancel()
	if err := c.runtime.service.Logout(ctx, &grant.Identity, false); err != nil {
		h.logger.Error("ending the session of a refused Wafer login failed", zap.Error(err))
	}
}
