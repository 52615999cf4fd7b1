package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Refresh spends a refresh token and returns a new pair. An issued token that was replaced
// long ago ends its session, with [ErrRefreshReused]: a copy of a token is then worthless.
// A token that was never issued ends nothing: [ErrInvalidToken].
//
// Simultaneous presentations of one token share one result; see [refreshed].
func (s *Service) Refresh(ctx context.Context, raw string, admitted Apps) (*Grant, error) {
	presented, err := ParseRefreshToken(raw)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil { // the client has gone
		return nil, fmt.Errorf("%w: refreshing: %w", ErrStoreUnavailable, err)
	}
	for {
		fl, leads := s.refreshes.Join(presented.flightKey(), refreshed{err: errUnfinished})
		if leads {
			return s.lead(ctx, fl, presented, admitted)
		}
		if grant, again, err := follow(ctx, fl, admitted); !again {
			return grant, err
		}
	}
}

// rotate presents the token to the store. replayed reports whether it was the token before
// the current one.
func (s *Service) rotate(ctx context.Context, presented RefreshToken, admitted Apps) (grant *Grant, replayed bool, err error) {
	next := NewRefreshToken(presented.Session)
	var user User
	err = s.cfg.Store.Update(ctx, presented.Session, func(session *Session) (Verdict, error) {
		grant, replayed, user = nil, false, session.User
		now := s.cfg.Now()
		verdict, successor, err := s.judge(session, presented, next, now, admitted)
		if err != nil {
			return verdict, &SessionError{session.User, session.ID, err}
		}
		replayed = successor != next
		if !replayed { // a replay does not prolong anything
			session.IdleEnd = now.Add(s.cfg.Idle)
		}
		if grant, err = s.grant(session, now); err != nil {
			return Keep, err
		}
		grant.RefreshToken = s.tagged(successor).String()
		return Save, nil
	})
	if errors.Is(err, ErrRefreshReused) {
		s.endedSessions(ctx, user, CauseReused, presented.Session)
	}
	if err != nil {
		return nil, false, s.endedError(presented.Session, err)
	}
	return grant, replayed, nil
}

// judge rotates a session's refresh token, or returns why not and the session's verdict.
func (s *Service) judge(session *Session, presented, next RefreshToken, now time.Time, admitted Apps) (Verdict, RefreshToken, error) {
	if !admitted(session.User.App) {
		return Keep, RefreshToken{}, fmt.Errorf("%w: session of app %q", ErrAppNotAdmitted, session.User.App)
	}
	if session.Door.Browser() { // it has no refresh token, so this one is forged and ends nothing
		return Keep, RefreshToken{}, fmt.Errorf("%w: a browser session has no refresh token", ErrInvalidToken)
	}
	successor, err := session.Refresh.Rotate(presented, next, now, s.grace())
	if errors.Is(err, ErrInvalidToken) && s.issued(presented) {
		err = fmt.Errorf("%w: older than the previous one", ErrRefreshReused)
	}
	if errors.Is(err, ErrRefreshReused) {
		return End, RefreshToken{}, err
	}
	if err == nil {
		err = s.admitDoor(session.Door)
	}
	return Keep, successor, err
}

// tagged returns a refresh token with its tag, as clients receive it.
func (s *Service) tagged(t RefreshToken) RefreshToken {
	copy(t.tag[:], s.cfg.Tokens.TagRefresh(t.untagged()))
	return t
}

// issued reports whether the token's tag proves that a gateway with one of the root secrets
// issued it. A token without a tag proves nothing: a token issued before tags existed is
// accepted while the session knows it, and otherwise ends nothing. This stops a client that
// only knows a session ID from ending the session.
func (s *Service) issued(t RefreshToken) bool {
	return s.cfg.Tokens.TaggedRefresh(t.untagged(), t.tag[:])
}

// grace is how long the previous token returns its successor. It is longer after an outage
// of the store: a client that got no response, although the store had rotated the token,
// retries with the old token once the store is back.
func (s *Service) grace() time.Duration {
	if s.cfg.Outage == nil {
		return RefreshGrace
	}
	return RefreshGrace + s.cfg.Outage()
}

// endedError maps "no such session" to what the client may learn: that the session is over, and
// whether another session replaced it. The client must not learn whether the session never
// existed, ended, or was swept.
func (s *Service) endedError(id SessionID, err error) error {
	switch {
	case errors.Is(err, ErrSessionReplaced):
		return err
	case errors.Is(err, ErrNoSession):
		return fmt.Errorf("%w: %w", s.revokedAs(id), err)
	}
	return err
}
