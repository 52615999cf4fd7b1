package adminapi

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
)

// UserRequest names a user of a mini program.
type UserRequest struct {
	App    auth.AppID  `json:"app" jsonschema:"the appid"`
	OpenID auth.OpenID `json:"openid"`
}

// Done is the response of a call that only does something.
type Done struct {
	Done  string `json:"done" jsonschema:"what was done, for people"`
	Ended *int   `json:"ended,omitempty" jsonschema:"by user/logout: how many sessions ended"`
}

// The calls about one user.
var (
	LogoutUser      = post("user/logout", "end every session of a user, or of every user of a person; app, and openid or unionid", audited, logoutUser)
	CheckSessionKey = post("session-key/check", "ask WeChat whether a user's session key is still valid; app, openid", audited, checkSessionKey)
	ResetSessionKey = post("session-key/reset", "have WeChat replace a user's session key; app, openid", audited, resetSessionKey)
)

// Subject implements [Subject].
func (u UserRequest) Subject(rt *gateway.Runtime) []zap.Field {
	user, err := u.user(rt)
	if err != nil {
		return nil // the request names no user
	}
	return []zap.Field{zap.String("app", string(user.App)), zap.String("user_id", rt.Tokens.Pseudonym(user))}
}

// user checks and returns the user that a call is about. A misspelled appid is an error:
// the operator must not believe that the user's sessions have ended.
func (u UserRequest) user(rt *gateway.Runtime) (auth.User, error) {
	if !auth.ValidID(u.App) || !auth.ValidID(u.OpenID) {
		return auth.User{}, fmt.Errorf("%w: app and openid are required", auth.ErrInvalidRequest)
	}
	if _, ok := rt.Platforms[u.App]; !ok {
		return auth.User{}, fmt.Errorf("%w: %s", ErrUnknownApp, u.App)
	}
	return auth.User{App: u.App, OpenID: u.OpenID}, nil
}

// UsersRequest names a user, or a person, whose users the call is about.
type UsersRequest struct {
	App     auth.AppID   `json:"app"`
	OpenID  auth.OpenID  `json:"openid,omitzero"`  // the user
	UnionID auth.UnionID `json:"unionid,omitzero"` // in its place: every user of the person, on the app's platform and API host
}

// Subject implements [Subject].
func (r UsersRequest) Subject(rt *gateway.Runtime) []zap.Field {
	if r.UnionID == "" {
		return UserRequest{r.App, r.OpenID}.Subject(rt)
	}
	if r.check(rt) != nil {
		return nil
	}
	return []zap.Field{zap.String("app", string(r.App)), zap.String("person_id", personID(rt, r.UnionID))}
}

// check checks a request with a unionid.
func (r UsersRequest) check(rt *gateway.Runtime) error {
	if r.OpenID != "" || !auth.ValidID(r.App) || !auth.ValidID(r.UnionID) {
		return fmt.Errorf("%w: app and either openid or unionid are required", auth.ErrInvalidRequest)
	}
	if _, ok := rt.Platforms[r.App]; !ok {
		return fmt.Errorf("%w: %s", ErrUnknownApp, r.App)
	}
	return nil
}

func logoutUser(ctx context.Context, rt *gateway.Runtime, in UsersRequest) (Done, error) {
	users, err := in.users(ctx, rt)
	if err != nil {
		return Done{}, err
	}
	unknown := in.unknown(ctx, rt)
	all := 0
	for _, user := range users {
		ended, err := rt.Service.EndUser(ctx, user, auth.CauseOperator)
		rt.Record(audit.Event{Action: audit.Revocation, By: audit.Operator, All: true, Ended: ended}, user, err)
		if err != nil {
			return Done{}, err
		}
		all += ended
	}
	if unknown && all == 0 {
		return Done{}, fmt.Errorf("%w: check the openid; access tokens that were issued to the user before are refused", ErrNothingStored)
	}
	return Done{Done: logoutReport(all), Ended: &all}, nil
}

// unknown reports whether nothing is stored about the user, so that the openid may be misspelled.
// The user is logged out nevertheless: access tokens remain valid after a store lost its sessions.
// If the store fails now, unknown returns false, and the logout reports the error.
func (r UsersRequest) unknown(ctx context.Context, rt *gateway.Runtime) bool {
	if r.UnionID != "" {
		return false // only users with something stored are found
	}
	_, _, err := recordOf(ctx, rt, UserRequest{r.App, r.OpenID})
	return errors.Is(err, ErrNothingStored)
}

// users returns the users that the request is about.
func (r UsersRequest) users(ctx context.Context, rt *gateway.Runtime) ([]auth.User, error) {
	if r.UnionID != "" {
		return usersOf(ctx, rt, r)
	}
	user, err := UserRequest{r.App, r.OpenID}.user(rt)
	return []auth.User{user}, err
}

func logoutReport(ended int) string {
	switch ended {
	case 0:
		return "no session of this user; access tokens that were issued to the user before are refused"
	case 1:
		return "1 session ended"
	}
	return fmt.Sprintf("%d sessions ended", ended)
}

func checkSessionKey(ctx context.Context, rt *gateway.Runtime, in UserRequest) (Done, error) {
	user, err := in.user(rt)
	if err != nil {
		return Done{}, err
	}
	return Done{Done: "the session key is valid"}, rt.Service.CheckSessionKey(ctx, user)
}

func resetSessionKey(ctx context.Context, rt *gateway.Runtime, in UserRequest) (Done, error) {
	user, err := in.user(rt)
	if err != nil {
		return Done{}, err
	}
	return Done{Done: "the session key was replaced"}, rt.Service.ResetSessionKey(ctx, user)
}
