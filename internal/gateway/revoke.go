package gateway

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

type revokeRequest struct {
	Token             string `json:"token"`
	RefreshToken      string `json:"refresh_token"`
	RefreshTokenCamel string `json:"refreshToken"`
}

// serveRevoke is POST {prefix}/revoke (RFC 7009), with a form, as in the RFC, or with JSON, as
// in the other calls. The response is 200 for any token.
func (g *Gateway) serveRevoke(c *call) error {
	token, err := revokedToken(c)
	if err != nil {
		return err
	}
	if token == "" {
		return problem.BadRequest("Send the field token.")
	}
	if err := g.revoke(c, token); err != nil {
		return err
	}
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// revoke ends the session of a refresh token or, as the RFC allows, of an access token. A token
// that is no longer valid has no session to end.
func (g *Gateway) revoke(c *call, token string) error {
	if strings.Count(token, ".") != 2 { // not a JWT
		ended, err := c.runtime.Service.RevokeRefresh(c.r.Context(), token, g.admits)
		if ended.ID != "" {
			g.record(c, audit.Event{Action: audit.Logout}, &auth.Identity{User: ended.User, Session: ended.ID}, nil)
		}
		return err
	}
	id, err := g.authenticate(c.r.Context(), c.runtime, bearer{raw: token})
	if errors.Is(err, auth.ErrStoreUnavailable) {
		return err // RFC 7009 section 2.2.1: the client retries
	}
	if err != nil {
		return nil //nolint:nilerr // RFC 7009 section 2.2: invalid tokens do not cause an error response
	}
	err = c.runtime.Service.Logout(c.r.Context(), id, false)
	g.record(c, audit.Event{Action: audit.Logout}, id, err)
	return err
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
