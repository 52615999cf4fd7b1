package adminapi

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
)

// searchPages is how many pages of sessions one [FindUser] reads: at most 10,000 sessions. With
// millions of sessions, a call returns after about a second, with the cursor of the next call.
const searchPages = 20

// FindUserRequest names a user by the openid, or by the user_id of log lines.
type FindUserRequest struct {
	App    auth.AppID  `json:"app,omitzero" jsonschema:"the appid; required with openid"`
	OpenID auth.OpenID `json:"openid,omitzero"`
	UserID string      `json:"user_id,omitzero" jsonschema:"as it is in logs; instead of openid"`
	Cursor string      `json:"cursor,omitzero" jsonschema:"next of the response before, for the same app and user_id"`
}

// FoundUser has the openid and the user_id of a user, or the cursor of the next request.
type FoundUser struct {
	App    auth.AppID  `json:"app,omitzero"`
	OpenID auth.OpenID `json:"openid,omitzero"`
	UserID string      `json:"user_id,omitzero" jsonschema:"missing if the user was not found yet"`
	Next   string      `json:"next,omitzero" jsonschema:"cursor of the next request, if the user was not found yet"`
}

// FindUser finds the openid of a user_id of the log, or the user_id of an openid. A user_id is a
// keyed hash, so the openid is searched among the users who are logged in.
var FindUser = post("user/id", "show the user_id of an openid (app, openid), or search the openid of a user_id among live sessions (user_id, app, cursor)", audited, findUser)

// Subject implements [Subject].
func (r FindUserRequest) Subject(rt *gateway.Runtime) []zap.Field {
	if r.OpenID != "" {
		return UserRequest{r.App, r.OpenID}.Subject(rt)
	}
	if !auth.ValidID(r.UserID) {
		return nil
	}
	return []zap.Field{zap.String("user_id", r.UserID)}
}

func findUser(ctx context.Context, rt *gateway.Runtime, in FindUserRequest) (FoundUser, error) {
	if (in.OpenID == "") == (in.UserID == "") {
		return FoundUser{}, fmt.Errorf("%w: either app and openid, or user_id is required", auth.ErrInvalidRequest)
	}
	if in.OpenID != "" {
		user, err := UserRequest{in.App, in.OpenID}.user(rt)
		if err != nil {
			return FoundUser{}, err
		}
		return FoundUser{App: user.App, OpenID: user.OpenID, UserID: rt.Tokens.Pseudonym(user)}, nil
	}
	query, err := SessionsRequest{App: in.App, Limit: auth.MaxPageSize, Cursor: in.Cursor}.query(rt)
	if err != nil {
		return FoundUser{}, err
	}
	for range searchPages {
		page, err := rt.Service.Sessions(ctx, query)
		if err != nil {
			return FoundUser{}, err
		}
		for _, s := range page.Sessions {
			if rt.Tokens.Pseudonym(s.User) == in.UserID {
				return FoundUser{App: s.User.App, OpenID: s.User.OpenID, UserID: in.UserID}, nil
			}
		}
		if query.Cursor = page.Next; page.Next == "" {
			return FoundUser{}, fmt.Errorf("%w: no user with this user_id is logged in", ErrNothingStored)
		}
	}
	return FoundUser{Next: query.Cursor}, nil
}
