package gateway

import (
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
		return err
	}
	return c.respond(newTokenPair(grant))
}
