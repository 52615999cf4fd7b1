package gateway

import (
	"net/http"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

type logoutRequest struct {
	All bool `json:"all"`
}

// serveLogout is POST {prefix}/logout.
func (g *Gateway) serveLogout(c *call) error {
	id, err := g.identity(c)
	if err != nil {
		return err
	}
	var in logoutRequest
	if err := problem.ReadJSON(c.w, c.r, &in); err != nil {
		return err
	}
	if err := g.end(c, id, in.All); err != nil {
		return err
	}
	if id.Browser {
		g.Browser.Forget(c.w)
	}
	if c.envelope != nil {
		return c.respondBytes(nil)
	}
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// end ends a session, or all sessions of its user, and audits it.
func (g *Gateway) end(c *call, id *auth.Identity, all bool) error {
	err := c.runtime.Service.Logout(c.r.Context(), id, all)
	g.record(c, audit.Event{Action: audit.Logout, All: all}, id, err)
	return err
}
