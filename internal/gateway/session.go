package gateway

import (
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

type sessionResponse struct {
	OpenID        auth.OpenID    `json:"openId"`
	UnionID       auth.UnionID   `json:"unionId,omitzero"`
	AppID         auth.AppID     `json:"appId"`
	Session       auth.SessionID `json:"session"`
	ExpiresIn     int64          `json:"expires_in"` // seconds
	PhoneVerified bool           `json:"phone_verified"`
}

// serveSession is GET {prefix}/session: it returns the session of the request.
func (g *Gateway) serveSession(c *call) error {
	id, err := g.identity(c)
	if err != nil {
		return err
	}
	return c.respond(sessionResponse{
		OpenID:        id.OpenID,
		UnionID:       id.UnionID,
		AppID:         id.App,
		Session:       id.Session,
		ExpiresIn:     seconds(time.Until(id.Expires)),
		PhoneVerified: id.Phone != "",
	})
}
