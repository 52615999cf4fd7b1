package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Refresh spends a refresh token and returns a new pair. A token that was issued
// and replaced long ago ends the session it names: [ErrRefreshReused]. A copy of
// a token is then worthless. A token that was never issued ends nothing:
// [ErrInvalidToken].
//
// Simultaneous presentations of one token share one answer; see [flights].
func (s *Service) Refresh(ctx context.Context, raw string, admitted Apps) (*Grant, error) {
	presented, err := ParseRefreshToken(raw)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil { // nobody is there to hear the answer
		return nil, fmt.Errorf("%w: refreshing: %w", ErrStoreUnavailable, err)
	}
	for {
		fl, leads := s.refreshes.join(presented)
		if leads {
			return s.lead(ctx, fl, presented, admitted)
		}
		if grant, again, err := fl.follow(ctx, admitted); !again {
			return grant, err
		}
	}
}

// rotate presents the token to the store; replayed says that it was the one
// before the current.
func (s *Service) rotate(ctx context.Context, presented RefreshToken, admitted Apps) (grant *Grant, replayed bool, err error) {
	next := NewRefreshToken(presented.Session)
	err = s.cfg.Store.Update(ctx, presented.Session, func(session *Session) (Verdict, error) {
		grant, replayed = nil, false
		now := s.cfg.Now()
		if !admitted(session.User.App) {
			return Keep, fmt.Errorf("%w: session of app %q", ErrAppNotAdmitted, session.User.App)
		}
		successor, err := session.Refresh.Rotate(presented, next, now, s.grace())
		if errors.Is(err, ErrInvalidToken) && s.issued(presented) {
			err = fmt.Errorf("%w: older than the previous one", ErrRefreshReused)
		}
		if errors.Is(err, ErrRefreshReused) {
			return End, err
		}
		if err != nil {
			return Keep, err
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
	if err != nil {
		return nil, false, ended(err)
	}
	return grant, replayed, nil
}

// tagged is a refresh token as it is issued.
func (s *Service) tagged(t RefreshToken) RefreshToken {
	copy(t.tag[:], s.cfg.Tokens.TagRefresh(t.untagged()))
	return t
}

// issued reports whether the token's tag proves that a gateway with one of the
// root secrets issued it. Tokens without a tag prove nothing: those issued before
// there were tags are accepted while the session knows them, and otherwise end
// nothing. This stops a client that only knows a session ID from ending the session.
func (s *Service) issued(t RefreshToken) bool {
	return s.cfg.Tokens.TaggedRefresh(t.untagged(), t.tag[:])
}

// grace is how long the token before the current one yields its successor: a
// client that could not have its answer, because the store was cut off after it
// had rotated the token, comes back with the old one when the store does.
func (s *Service) grace() time.Duration {
	if s.cfg.Outage == nil {
		return RefreshGrace
	}
	return RefreshGrace + s.cfg.Outage()
}

// Logout ends the bearer's session or, with all, every session of the user.
// Access tokens of what it ended are refused from the next request on.
func (s *Service) Logout(ctx context.Context, id *Identity, all bool) error {
	if all {
		_, err := s.cfg.Store.EndUser(ctx, id.User, s.cfg.Now(), s.lastToken(id.Expires))
		return err
	}
	err := s.cfg.Store.Update(ctx, id.Session, func(*Session) (Verdict, error) { return End, nil })
	if !errors.Is(err, ErrNoSession) {
		return err
	}
	if s.cfg.Revocations.Revoked(id) {
		return nil // ended meanwhile, which is what the caller asked for
	}
	// Another replica ended it a moment ago, or the store has lost it, as one in
	// memory does with a restart, and its tokens live on: another of them than this
	// one perhaps a whole life.
	return s.cfg.Store.RevokeSession(ctx, id.Session, s.lastToken(id.Expires))
}

// lastToken is when the last token that was issued until now expires, of which one
// expires at known: an earlier configuration may have given it a longer life.
func (s *Service) lastToken(known time.Time) time.Time {
	if last := s.cfg.Now().Add(s.cfg.Access); last.After(known) {
		return last
	}
	return known
}

// RevokeRefresh ends the session of a refresh token, as RFC 7009 has it: a token
// that is unknown or no longer current changes nothing and is no error, so that
// the call tells a stranger nothing.
func (s *Service) RevokeRefresh(ctx context.Context, raw string, admitted Apps) error {
	presented, err := ParseRefreshToken(raw)
	if err != nil {
		return nil //nolint:nilerr // RFC 7009 section 2.2: invalid tokens do not cause an error response
	}
	err = s.cfg.Store.Update(ctx, presented.Session, func(session *Session) (Verdict, error) {
		if !admitted(session.User.App) || !session.Refresh.Knows(presented) {
			return Keep, nil
		}
		return End, nil
	})
	if errors.Is(err, ErrNoSession) {
		return nil
	}
	return err
}

// EndUser ends every session of a user and forgets the user's session keys, for
// an operator, and as WeChat demands when the user withdraws an authorization or
// closes the account. It returns how many sessions that ended.
func (s *Service) EndUser(ctx context.Context, u User) (ended int, err error) {
	return s.cfg.Store.EndUser(ctx, u, s.cfg.Now(), s.lastToken(time.Time{}))
}

// ended turns "no such session" into what the client may learn: the session is
// over. Never created, ended and swept are one answer.
func ended(err error) error {
	if errors.Is(err, ErrNoSession) {
		return fmt.Errorf("%w: %w", ErrSessionRevoked, err)
	}
	return err
}
