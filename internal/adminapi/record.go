package adminapi

import (
	"context"
	"errors"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
)

// ErrNothingStored is a call about a user of whom the store has nothing.
var ErrNothingStored = errors.New("nothing is stored about this user")

// User is what is stored about a user, without personal data.
type User struct {
	App         auth.AppID  `json:"app"`
	OpenID      auth.OpenID `json:"openid"`
	UserID      string      `json:"user_id"`  // the user in logs
	Sessions    []Session   `json:"sessions"` // newest first
	SessionKeys int         `json:"session_keys"`
	FailedToday int         `json:"failed_today"`         // attempts to decrypt data of the user
	EndedUntil  time.Time   `json:"ended_until,omitzero"` // sessions that began until then were ended together
}

// UserExport is everything that is stored about a user. Of secrets that would let its reader log
// in as the user or forge the user's data, it has only the metadata.
type UserExport struct {
	App         auth.AppID        `json:"app"`
	OpenID      auth.OpenID       `json:"openid"`
	UserID      string            `json:"user_id"`
	ExportedAt  time.Time         `json:"exported_at"`
	Sessions    []ExportedSession `json:"sessions"`
	SessionKeys []ExportedKey     `json:"session_keys"`
	Attempts    ExportedAttempts  `json:"attempts"`
	EndedUntil  time.Time         `json:"ended_until,omitzero"`
}

// ExportedSession is a session with all that is stored about it, except its tokens, of which
// hashes are stored.
type ExportedSession struct {
	Session
	PhoneNumber string    `json:"phone_number,omitzero"`
	Ends        time.Time `json:"ends"`       // whether it is refreshed or not
	IdleEnd     time.Time `json:"idle_end"`   // if it is not refreshed
	TokensEnd   time.Time `json:"tokens_end"` // the last access token
	RefreshedAt time.Time `json:"refreshed_at,omitzero"`
	Replays     int       `json:"replays"` // of the refresh token before the current one
}

// ExportedKey is a session_key, without the key.
type ExportedKey struct {
	ObtainedAt time.Time `json:"obtained_at"`
}

// ExportedAttempts are the attempts to decrypt data of the user.
type ExportedAttempts struct {
	DayEnds time.Time             `json:"day_ends,omitzero"`
	Failed  int                   `json:"failed"`
	Pending int                   `json:"pending"`
	Keys    []ExportedKeyAttempts `json:"keys"`
}

// ExportedKeyAttempts are the attempts with one session_key, which is stored as a hash.
type ExportedKeyAttempts struct {
	Failed  int       `json:"failed"`
	Pending int       `json:"pending"`
	Until   time.Time `json:"until"`
}

// The calls about what is stored about a user.
var (
	ShowUser   = post("user/show", "show what is stored about a user; app, openid", audited, showUser)
	ExportUser = post("user/export", "export everything that is stored about a user, the phone number included; app, openid", audited, exportUser)
)

func showUser(ctx context.Context, rt *gateway.Runtime, in UserRequest) (User, error) {
	user, record, err := recordOf(ctx, rt, in)
	if err != nil {
		return User{}, err
	}
	return userOf(rt, user, record), nil
}

func userOf(rt *gateway.Runtime, user auth.User, record *auth.UserRecord) User {
	return User{
		App: user.App, OpenID: user.OpenID, UserID: rt.Tokens.Pseudonym(user),
		Sessions: sessionsOf(rt, record.Sessions), SessionKeys: len(record.KeysAt),
		FailedToday: record.Attempts.Failed, EndedUntil: record.EndedUntil,
	}
}

func exportUser(ctx context.Context, rt *gateway.Runtime, in UserRequest) (UserExport, error) {
	user, record, err := recordOf(ctx, rt, in)
	if err != nil {
		return UserExport{}, err
	}
	out := UserExport{
		App: user.App, OpenID: user.OpenID, UserID: rt.Tokens.Pseudonym(user), ExportedAt: time.Now(),
		Sessions: []ExportedSession{}, SessionKeys: []ExportedKey{}, EndedUntil: record.EndedUntil,
		Attempts: ExportedAttempts{
			DayEnds: record.Attempts.DayEnds, Failed: record.Attempts.Failed, Pending: record.Attempts.Pending,
			Keys: []ExportedKeyAttempts{},
		},
	}
	for _, s := range record.Sessions {
		out.Sessions = append(out.Sessions, ExportedSession{
			Session: sessionOf(rt, s), PhoneNumber: s.Phone,
			Ends: s.AbsoluteEnd, IdleEnd: s.IdleEnd, TokensEnd: s.AccessEnd,
			RefreshedAt: s.Refresh.RotatedAt, Replays: s.Refresh.Replays,
		})
	}
	for _, at := range record.KeysAt {
		out.SessionKeys = append(out.SessionKeys, ExportedKey{ObtainedAt: at})
	}
	for _, k := range record.Attempts.Keys {
		out.Attempts.Keys = append(out.Attempts.Keys, ExportedKeyAttempts{Failed: k.Failed, Pending: k.Pending, Until: k.Until})
	}
	return out, nil
}

func recordOf(ctx context.Context, rt *gateway.Runtime, in UserRequest) (auth.User, *auth.UserRecord, error) {
	user, err := in.user(rt)
	if err != nil {
		return user, nil, err
	}
	record, err := rt.Service.User(ctx, user)
	if err == nil && record.IsEmpty() {
		err = ErrNothingStored
	}
	return user, record, err
}
