package gateway

import (
	"errors"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/problem"
)

type refreshRequest struct {
	RefreshToken      string `json:"refresh_token"`
	RefreshTokenCamel string `json:"refreshToken"`
}

// serveRefresh is POST {prefix}/refresh.
func (g *Gateway) serveRefresh(c *call) error {
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
	grant, err := c.runtime.Service.Refresh(c.r.Context(), token, g.admits)
	metrics.ObserveRefresh(grant, err)
	if err != nil {
		g.recordRefusal(c, err)
		return err
	}
	return c.respond(newTokenPair(grant))
}

// recordRefusal audits a refused refresh token. A failure of the store is not a refusal: the
// client repeats the request.
func (g *Gateway) recordRefusal(c *call, err error) {
	if errors.Is(err, auth.ErrStoreUnavailable) {
		return
	}
	var id *auth.Identity
	if refused, ok := errors.AsType[*auth.SessionError](err); ok {
		id = &auth.Identity{User: refused.User, Session: refused.Session}
	}
	g.record(c, audit.Event{Action: audit.RefreshRefused}, id, err)
}
