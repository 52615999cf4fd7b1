package adminapi

import (
	"context"
	"time"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
)

// MintedToken is the response of [MintToken]: what a login would have returned.
type MintedToken struct {
	App              auth.AppID     `json:"app"`
	OpenID           auth.OpenID    `json:"openid"`
	Session          auth.SessionID `json:"session"`
	AccessToken      string         `json:"access_token" jsonschema:"it has the claim dev, true"`
	AccessExpiresAt  time.Time      `json:"access_expires_at"`
	RefreshToken     string         `json:"refresh_token"`
	RefreshExpiresAt time.Time      `json:"refresh_expires_at" jsonschema:"if it is not used before"`
}

// MintToken begins a session of a user without a login. It requires dev_mode.
var MintToken = post("token/mint", "begin a session of a user without a login, with the option dev_mode only; app, openid", audited, mintToken)

func mintToken(ctx context.Context, rt *gateway.Runtime, in UserRequest) (MintedToken, error) {
	user, err := in.user(rt)
	if err != nil {
		return MintedToken{}, err
	}
	grant, err := rt.Service.Mint(ctx, user)
	event := audit.Event{Action: audit.Mint, By: audit.Operator}
	if err == nil {
		event.Session = grant.Identity.Session
	}
	rt.Record(event, user, err)
	if err != nil {
		return MintedToken{}, err
	}
	rt.RecordEnded(grant)
	return MintedToken{
		App: user.App, OpenID: user.OpenID, Session: grant.Identity.Session,
		AccessToken: grant.AccessToken, AccessExpiresAt: grant.AccessExpires,
		RefreshToken: grant.RefreshToken, RefreshExpiresAt: grant.RefreshExpires,
	}, nil
}
