package gateway

import (
	"net/http"

	"github.com/wxgate/wxgate/internal/audit"
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
	err = c.runtime.Service.Logout(c.r.Context(), id, in.All)
	g.record(c, audit.Event{Action: audit.Logout, All: in.All}, id, err)
	if err != nil {
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
