package adminapi

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
)

// SessionsRequest selects the sessions of [ListSessions].
type SessionsRequest struct {
	App    auth.AppID  `json:"app,omitzero"`    // only those of this app
	OpenID auth.OpenID `json:"openid,omitzero"` // only those of this user; needs app
	Limit  int         `json:"limit,omitzero"`  // at most so many; default 50, at most 500
	Cursor string      `json:"cursor,omitzero"` // next of the page before, for the same app and openid
}

// SessionRequest names a session.
type SessionRequest struct {
	Session string `json:"session"` // its ID
}

// Session is a session as operators see it.
type Session struct {
	ID            auth.SessionID `json:"session"`
	App           auth.AppID     `json:"app"`
	OpenID        auth.OpenID    `json:"openid"`
	UnionID       auth.UnionID   `json:"unionid,omitzero"`
	UserID        string         `json:"user_id"` // the user in logs
	Login         time.Time      `json:"login"`
	LastSeen      time.Time      `json:"last_seen"` // the login or the last refresh
	Expires       time.Time      `json:"expires"`   // if it is not refreshed
	Device        string         `json:"device"`    // what the client says it is
	Door          string         `json:"door" jsonschema:"how it began: miniprogram, minted, official, website, webview or scan"`
	Parent        auth.SessionID `json:"parent,omitzero" jsonschema:"of a webview: the session whose ticket began it, with which it ends"`
	PhoneVerified bool           `json:"phone_verified"`
	RiskRank      *int           `json:"risk_rank,omitzero"` // of the login at WeChat, 0 to 4; missing if it is not known
}

// SessionPage is a part of the list of sessions.
type SessionPage struct {
	Sessions []Session `json:"sessions"`
	Next     string    `json:"next,omitzero"` // the cursor of the next page; missing on the last
}

// The calls about sessions.
var (
	ListSessions = post("sessions", "list who is logged in: of one user newest first, else in the order of the store; app, openid, limit, cursor", audited, listSessions)
	ShowSession  = post("sessions/show", "show one session; session: its ID", audited, showSession)
	EndSession   = post("sessions/end", "end one session on all machines; session: its ID", audited, endSession)
)

// Subject implements [Subject].
func (r SessionsRequest) Subject(rt *gateway.Runtime) []zap.Field {
	if r.OpenID != "" {
		return UserRequest{r.App, r.OpenID}.Subject(rt)
	}
	if _, ok := rt.Platforms[r.App]; ok {
		return []zap.Field{zap.String("app", string(r.App))}
	}
	return nil
}

// Subject implements [Subject].
func (r SessionRequest) Subject(*gateway.Runtime) []zap.Field {
	if _, err := auth.ParseSessionID(r.Session); err != nil {
		return nil // it may be anything, such as a token
	}
	return []zap.Field{zap.String("session", r.Session)}
}

// query checks the request. A misspelled appid is an error: the operator must not believe
// that no user is logged in.
func (r SessionsRequest) query(rt *gateway.Runtime) (q auth.Query, err error) {
	q = auth.Query{App: r.App, Limit: r.Limit, Cursor: r.Cursor}
	if r.OpenID != "" {
		q.App = ""
		q.User, err = UserRequest{r.App, r.OpenID}.user(rt)
		return q, err
	}
	if _, ok := rt.Platforms[r.App]; r.App != "" && !ok {
		return q, fmt.Errorf("%w: %s", ErrUnknownApp, r.App)
	}
	return q, nil
}

func listSessions(ctx context.Context, rt *gateway.Runtime, in SessionsRequest) (SessionPage, error) {
	query, err := in.query(rt)
	if err != nil {
		return SessionPage{}, err
	}
	page, err := rt.Service.Sessions(ctx, query)
	return SessionPage{Sessions: sessionsOf(rt, page.Sessions), Next: page.Next}, err
}

func showSession(ctx context.Context, rt *gateway.Runtime, in SessionRequest) (Session, error) {
	s, err := rt.Service.Session(ctx, in.Session)
	if err != nil {
		return Session{}, err
	}
	return sessionOf(rt, s), nil
}

func endSession(ctx context.Context, rt *gateway.Runtime, in SessionRequest) (Done, error) {
	s, err := rt.Service.EndSession(ctx, in.Session)
	if err != nil {
		return Done{}, err
	}
	rt.Record(audit.Event{Action: audit.Revocation, By: audit.Operator, Session: s.ID, Ended: 1}, s.User, nil)
	one := 1
	return Done{Done: fmt.Sprintf("session %s of user %s ended", s.ID, rt.Tokens.Pseudonym(s.User)), Ended: &one}, nil
}

func sessionsOf(rt *gateway.Runtime, sessions []*auth.Session) []Session {
	out := make([]Session, 0, len(sessions))
	for _, s := range sessions {
		out = append(out, sessionOf(rt, s))
	}
	return out
}

func sessionOf(rt *gateway.Runtime, s *auth.Session) Session {
	out := Session{
		ID: s.ID, App: s.User.App, OpenID: s.User.OpenID, UnionID: s.UnionID, UserID: rt.Tokens.Pseudonym(s.User),
		Login: s.CreatedAt, LastSeen: s.LastSeen(), Expires: s.End(),
		Device: s.Device.String(), Door: s.Door.String(), Parent: s.Parent, PhoneVerified: s.Phone != "",
	}
	if rank, known := s.Risk.Rank(); known {
		out.RiskRank = &rank
	}
	return out
}
