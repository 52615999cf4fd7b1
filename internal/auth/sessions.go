package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// DefaultPageSize is the size of a page if a query sets no limit: about what a
	// terminal shows.
	DefaultPageSize = 50
	// MaxPageSize is the largest limit: about 200 KB of JSON, and a few milliseconds of
	// work for a store.
	MaxPageSize = 500
)

// Query selects sessions.
type Query struct {
	// User selects the sessions of one user, newest first. The zero value selects those of
	// all users, in the order of the store.
	User User
	// App selects the sessions of one app if User is zero. Default: all apps.
	App AppID
	// Limit is the maximum number of sessions in a page.
	Limit int
	// Cursor is [Page.Next] of the previous page, for the same User and App. Default: the
	// first page.
	Cursor string
}

// Page is a part of a list. It may have fewer sessions than the limit, even none, although
// more pages follow.
type Page struct {
	Sessions []*Session
	Next     string // the cursor of the next page; empty after the last
}

// Sessions lists the sessions that have not ended. The default limit is
// [DefaultPageSize]. [ErrInvalidRequest], [ErrInvalidCursor].
func (s *Service) Sessions(ctx context.Context, q Query) (Page, error) {
	if q.Limit == 0 {
		q.Limit = DefaultPageSize
	}
	if q.Limit < 0 || q.Limit > MaxPageSize {
		return Page{}, fmt.Errorf("%w: limit must be 1 to %d", ErrInvalidRequest, MaxPageSize)
	}
	return s.cfg.Store.List(ctx, q)
}

// Session returns a session that has not ended: [ErrNoSession], or [ErrInvalidRequest] for a
// string that is not a session ID.
func (s *Service) Session(ctx context.Context, id string) (*Session, error) {
	session, err := ParseSessionID(id)
	if err != nil {
		return nil, fmt.Errorf("%w: not a session ID", ErrInvalidRequest)
	}
	return s.cfg.Store.Session(ctx, session)
}

// EndSession ends a session for an operator and returns it. Its tokens are refused from the
// next request on. The errors are those of [Service.Session].
func (s *Service) EndSession(ctx context.Context, id string) (ended *Session, err error) {
	session, err := ParseSessionID(id)
	if err != nil {
		return nil, fmt.Errorf("%w: not a session ID", ErrInvalidRequest)
	}
	err = s.cfg.Store.Update(ctx, session, func(found *Session) (Verdict, error) {
		ended = found
		return End, nil
	})
	if err != nil {
		return nil, err
	}
	s.endedSessions(ctx, ended.User, CauseOperator, ended.ID)
	return ended, nil
}

// Scope is where a unionid names one person. On another platform, or at another API host
// (which may be a test system), the same unionid may name another person.
type Scope struct {
	Platform string // such as wechat
	API      string // the host, with its port if it has one
}

// ErrNoPerson is what [Service.UsersOf] returns if no user with the unionid is logged in.
var ErrNoPerson = errors.New("no user with this unionid is logged in")

// UsersOf returns the users who have a session and this unionid, in the scope of an app: the
// users of one person, in all apps. [ErrUnknownApp], [ErrNoPerson].
func (s *Service) UsersOf(ctx context.Context, app AppID, u UnionID) ([]User, error) {
	if _, ok := s.cfg.Apps[app]; !ok {
		return nil, fmt.Errorf("%w: %q is not configured", ErrUnknownApp, app)
	}
	users, err := s.cfg.Store.UsersOf(ctx, u)
	if err != nil {
		return nil, err
	}
	users = slices.DeleteFunc(users, func(user User) bool {
		_, ok := s.cfg.Apps[user.App]
		return !ok || s.cfg.Scopes[user.App] != s.cfg.Scopes[app]
	})
	if len(users) == 0 {
		return nil, ErrNoPerson
	}
	return users, nil
}

// UserRecord is what a store has about a user. It does not contain the session keys: anyone
// who has a session key can forge data of the user.
type UserRecord struct {
	Sessions []*Session  // that have not ended, newest first
	KeysAt   []time.Time // when each session key was obtained, newest first
	Attempts *Attempts   // to decrypt open data
	// EndedUntil is the time of the user's last "log out everywhere", which ended the sessions
	// that began at or before it. It is the zero time if there was none, or if the store has
	// forgotten it.
	EndedUntil time.Time
}

// IsEmpty reports whether the store has nothing about the user.
func (r *UserRecord) IsEmpty() bool {
	return len(r.Sessions) == 0 && len(r.KeysAt) == 0 && r.Attempts.Empty() && r.EndedUntil.IsZero()
}

// User returns what the store has about a user.
func (s *Service) User(ctx context.Context, u User) (*UserRecord, error) {
	sessions, err := s.sessionsOf(ctx, u)
	if err != nil {
		return nil, err
	}
	record := &UserRecord{Sessions: sessions, EndedUntil: s.cfg.Revocations.NotAfter(u)}
	keys, err := s.cfg.Store.SessionKeys(ctx, u)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		record.KeysAt = append(record.KeysAt, key.ObtainedAt)
	}
	record.Attempts, err = s.cfg.Store.Attempts(ctx, u)
	return record, err
}

// sessionsOf returns all sessions of a user that have not ended.
func (s *Service) sessionsOf(ctx context.Context, u User) (all []*Session, err error) {
	q := Query{User: u, Limit: MaxPageSize}
	for more := true; more; more = q.Cursor != "" {
		page, err := s.cfg.Store.List(ctx, q)
		if err != nil {
			return nil, err
		}
		all, q.Cursor = append(all, page.Sessions...), page.Next
	}
	return all, nil
}
