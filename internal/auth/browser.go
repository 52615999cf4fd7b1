package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// LoginBrowser exchanges the code of a web sign-in and begins a browser session. first is the
// session without the user, whom the code identifies, and without ID, start and ends.
// It returns the sessions of the user that the new session ended.
func (s *Service) LoginBrowser(ctx context.Context, first Session, code string) (session *Session, ended []SessionID, err error) {
	who, err := s.exchange(ctx, first.User.App, code)
	if err != nil {
		return nil, nil, err
	}
	first.User.OpenID, first.UnionID = who.OpenID, who.UnionID
	err = s.afterRevocations(func(began time.Time) (err error) {
		session, ended, err = s.beginBrowser(ctx, first, began)
		return err
	})
	return session, ended, err
}

// DeriveBrowser begins a browser session for the user of another session, which must not have
// ended: [ErrSessionRevoked], [ErrSessionReplaced]. first is as in [Service.LoginBrowser].
//
// The new session is dated before the other session is read. If the user logs out everywhere
// in between, the store refuses the new session: a logout must also end a session that is
// about to begin.
func (s *Service) DeriveBrowser(ctx context.Context, from SessionID, first Session) (session *Session, ended []SessionID, err error) {
	began := s.cfg.Now()
	source, err := s.Live(ctx, from)
	if err != nil {
		return nil, nil, err
	}
	first.User, first.UnionID, first.Phone, first.Risk = source.User, source.UnionID, source.Phone, source.Risk
	session, ended, err = s.beginBrowser(ctx, first, began)
	if early, ok := errors.AsType[*CreatedTooEarlyError](err); ok {
		return nil, nil, fmt.Errorf("%w: %w", ErrSessionRevoked, early)
	}
	return session, ended, err
}

// Live returns a session that has not ended and was not revoked: [ErrSessionRevoked],
// [ErrSessionReplaced].
func (s *Service) Live(ctx context.Context, id SessionID) (*Session, error) {
	session, err := s.cfg.Store.Session(ctx, id)
	if err != nil {
		return nil, s.endedError(id, err)
	}
	if err := s.admitDoor(session.Door); err != nil {
		return nil, err
	}
	if err := s.Revoked(&Identity{User: session.User, Session: session.ID, Parent: session.Parent}); err != nil {
		return nil, err
	}
	return session, nil
}

// Extend extends a session that has not ended, and returns it: browser sessions do not
// refresh. Its identity may be in use until accessEnd. used reports whether the user was
// active, which also extends IdleEnd. The errors are those of [Service.Live].
func (s *Service) Extend(ctx context.Context, id SessionID, accessEnd time.Time, used bool) (extended *Session, err error) {
	err = s.cfg.Store.Update(ctx, id, func(session *Session) (Verdict, error) {
		if session.AccessEnd.Before(accessEnd) {
			session.AccessEnd = accessEnd
		}
		if used {
			session.IdleEnd = s.cfg.Now().Add(s.cfg.Idle)
		}
		extended = session
		return Save, nil
	})
	return extended, s.endedError(id, err)
}

func (s *Service) beginBrowser(ctx context.Context, first Session, began time.Time) (*Session, []SessionID, error) {
	session := &first
	s.date(session, began, s.cfg.Now(), s.cfg.Idle)
	ended, err := s.create(ctx, session, SessionKey{})
	if err != nil {
		return nil, nil, err
	}
	return session, ended, nil
}
