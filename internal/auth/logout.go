package auth

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Logout ends the bearer's session or, with all, every session of the user.
// Access tokens of the ended sessions are refused from the next request on.
func (s *Service) Logout(ctx context.Context, id *Identity, all bool) error {
	var err error
	if all {
		_, err = s.cfg.Store.EndUser(ctx, id.User, s.cfg.Now(), s.lastToken(id.Expires))
	} else {
		err = s.cfg.Store.Update(ctx, id.Session, func(*Session) (Verdict, error) { return End, nil })
	}
	if errors.Is(err, ErrNoSession) {
		if s.cfg.Revocations.Revoked(id) {
			return nil // already ended, as the caller asked
		}
		// Another replica ended it a moment ago, or the store has lost it, as a store in
		// memory does at a restart. Its tokens are still valid, some for their full lifetime.
		err = s.cfg.Store.RevokeSession(ctx, id.Session, s.lastToken(id.Expires))
	}
	switch {
	case err != nil:
		return err
	case all:
		s.ended(id.User, "", CauseLogout)
	default:
		s.endedSessions(ctx, id.User, CauseLogout, id.Session)
	}
	return nil
}

// lastToken is the latest time at which an access token issued until now expires. known is
// the expiry of one such token: an earlier configuration may have given it a longer life.
func (s *Service) lastToken(known time.Time) time.Time {
	if last := s.cfg.Now().Add(s.cfg.Access); last.After(known) {
		return last
	}
	return known
}

// RevokeRefresh ends the session of a refresh token (RFC 7009). A token that is unknown
// or no longer current changes nothing and is not an error, so that an unauthenticated
// client learns nothing. It returns the session that it ended, for the log, and the
// zero Session if it ended none.
func (s *Service) RevokeRefresh(ctx context.Context, raw string, admitted Apps) (ended Session, err error) {
	presented, err := ParseRefreshToken(raw)
	if err != nil {
		return Session{}, nil //nolint:nilerr // RFC 7009 section 2.2: invalid tokens do not cause an error response
	}
	err = s.cfg.Store.Update(ctx, presented.Session, func(session *Session) (Verdict, error) {
		ended = Session{} // the store may call this function again
		if !admitted(session.User.App) || session.Door.Browser() || !session.Refresh.Knows(presented) {
			return Keep, nil
		}
		ended = *session
		return End, nil
	})
	if errors.Is(err, ErrNoSession) {
		return Session{}, nil
	}
	if err != nil {
		return Session{}, err
	}
	if ended.ID != "" {
		s.endedSessions(ctx, ended.User, CauseRevoked, ended.ID)
	}
	return ended, nil
}

// EndUser ends every session of a user and forgets the user's session keys: for an operator,
// and as WeChat requires when the user withdraws an authorization or closes the account. It
// returns the number of sessions that it ended.
func (s *Service) EndUser(ctx context.Context, u User, cause Cause) (ended int, err error) {
	ended, err = s.cfg.Store.EndUser(ctx, u, s.cfg.Now(), s.lastToken(time.Time{}))
	if err == nil {
		s.ended(u, "", cause)
	}
	return ended, err
}

// ForgetKeys forgets the session keys that a user has now, so that nothing that was encrypted
// with them can be decrypted: as WeChat requires when the user withdraws open data that only
// they can decrypt. The sessions remain.
func (s *Service) ForgetKeys(ctx context.Context, u User) error {
	keys, err := s.cfg.Store.SessionKeys(ctx, u)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := s.cfg.Store.DropSessionKey(ctx, u, key); err != nil {
			return err
		}
	}
	return nil
}

// Erase does what EndUser does, and deletes what is stored about the user: see [Store.Erase].
// A user who is unknown or already erased is not an error.
func (s *Service) Erase(ctx context.Context, u User) (Erased, error) {
	erased, err := s.cfg.Store.Erase(ctx, u, s.cfg.Now(), s.lastToken(time.Time{}))
	if err == nil {
		s.ended(u, "", CauseErased)
	}
	return erased, err
}

// Ended reports that a session, or every session of a user, was ended before its time.
type Ended struct {
	User    User
	Session SessionID // empty for all sessions of the user
	Cause   Cause
	At      time.Time
}

// Cause is why a session or a user was ended.
type Cause string

// The causes.
const (
	CauseLogout    Cause = "logout"                  // by the user
	CauseRevoked   Cause = "token_revoked"           // by a client that has the token (RFC 7009)
	CauseReused    Cause = "refresh_token_reused"    // a refresh token was used twice
	CauseWithdrawn Cause = "authorization_withdrawn" // reported by WeChat
	CauseOperator  Cause = "operator"
	CauseLimit     Cause = "session_limit" // the user began another session and had too many
	CauseErased    Cause = "erased"        // an operator erased what is stored about the user
	CauseParent    Cause = "parent_ended"  // the session whose ticket began it has ended
)

// ended reports the end of a session or a user.
func (s *Service) ended(u User, session SessionID, cause Cause) {
	if s.cfg.Ended != nil {
		s.cfg.Ended(Ended{User: u, Session: session, Cause: cause, At: s.cfg.Now()})
	}
}

// endedSessions reports sessions of a user that ended now, and ends their children. A child
// of an ended session is refused in any case, so a failure to end the children is not an
// error: they only remain longer in the lists of sessions. The parent itself has ended.
func (s *Service) endedSessions(ctx context.Context, u User, cause Cause, sessions ...SessionID) {
	for _, id := range sessions {
		s.ended(u, id, cause)
	}
	if !s.cfg.Browsers || len(sessions) == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx) // the parent's client may have disconnected
	all, err := s.sessionsOf(ctx, u)
	if err != nil {
		return
	}
	for _, child := range all {
		if !slices.Contains(sessions, child.Parent) {
			continue
		}
		if s.cfg.Store.Update(ctx, child.ID, func(*Session) (Verdict, error) { return End, nil }) == nil {
			s.ended(u, child.ID, CauseParent)
		}
	}
}
