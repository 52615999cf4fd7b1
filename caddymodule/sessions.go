package caddymodule

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

type refreshRequest struct {
	RefreshToken      string `json:"refresh_token"`
	RefreshTokenCamel string `json:"refreshToken"`
}

// serveRefresh is POST {prefix}/refresh.
func (h *Handler) serveRefresh(c *call) error {
	var in refreshRequest
	if err := problem.ReadJSON(c.w, c.r, &in); err != nil {
		return err
	}
	token, err := problem.Either("refresh_token", in.RefreshToken, in.RefreshTokenCamel)
	if err != nil {
		return err
	}
	if token == "" {
		return problem.BadRequest("Send the field refresh_token.")
	}
	grant, err := c.runtime.service.Refresh(c.r.Context(), token, h.admits)
	if err != nil {
		return err
	}
	return answerJSON(c.w, http.StatusOK, newPairAnswer(grant))
}

type logoutRequest struct {
	All bool `json:"all"`
}

// serveLogout is POST {prefix}/logout.
func (h *Handler) serveLogout(c *call) error {
	id, err := h.identity(c)
	if err != nil {
		return err
	}
	var in logoutRequest
	if err := problem.ReadJSON(c.w, c.r, &in); err != nil {
		return err
	}
	if err := c.runtime.service.Logout(c.r.Context(), id, in.All); err != nil {
		return err
	}
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

type revokeRequest struct {
	Token             string `json:"token"`
	RefreshToken      string `json:"refresh_token"`
	RefreshTokenCamel string `json:"refreshToken"`
}

// serveRevoke is POST {prefix}/revoke (RFC 7009): a form, as the RFC has it, or
// JSON, as the other calls have it. The answer is 200 whatever the token was.
func (h *Handler) serveRevoke(c *call) error {
	token, err := revokedToken(c)
	if err != nil {
		return err
	}
	if token == "" {
		return problem.BadRequest("Send the field token.")
	}
	if err := h.revoke(c, token); err != nil {
		return err
	}
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// revoke ends the session of a refresh token or, as the RFC allows, of an access
// token. A token that is not valid any more has nothing to end.
func (h *Handler) revoke(c *call, token string) error {
	if strings.Count(token, ".") != 2 { // not a JWT
		return c.runtime.service.RevokeRefresh(c.r.Context(), token, h.admits)
	}
	id, err := h.authenticate(c.runtime, bearer{raw: token})
	if errors.Is(err, auth.ErrStoreUnavailable) {
		return err // RFC 7009 section 2.2.1: the client comes again
	}
	if err != nil {
		return nil //nolint:nilerr // RFC 7009 section 2.2: invalid tokens do not cause an error response
	}
	return c.runtime.service.Logout(c.r.Context(), id, false)
}

func revokedToken(c *call) (string, error) {
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		var in revokeRequest
		if err := problem.ReadJSON(c.w, c.r, &in); err != nil {
			return "", err
		}
		return problem.Either("token", in.Token, in.RefreshToken, in.RefreshTokenCamel)
	}
	body, err := problem.ReadBody(c.w, c.r)
	if err != nil {
		return "", err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["token"]) > 1 {
		return "", problem.BadRequest("The body must be a form with one field token.")
	}
	return form.Get("token"), nil
}

type sessionAnswer struct {
	OpenID        auth.OpenID    `json:"openId"`
	UnionID       auth.UnionID   `json:"unionId,omitzero"`
	AppID         auth.AppID     `json:"appId"`
	Session       auth.SessionID `json:"session"`
	ExpiresIn     int64          `json:"expires_in"` // seconds
	PhoneVerified bool           `json:"phone_verified"`
}

// serveSession is GET {prefix}/session: who am I.
func (h *Handler) serveSession(c *call) error {
	id, err := h.identity(c)
	if err != nil {
		return err
	}
	return answerJSON(c.w, http.StatusOK, sessionAnswer{
		OpenID:        id.OpenID,
		UnionID:       id.UnionID,
		AppID:         id.App,
		Session:       id.Session,
		ExpiresIn:     seconds(time.Until(id.Expires)),
		PhoneVerified: id.Phone != "",
	})
}
