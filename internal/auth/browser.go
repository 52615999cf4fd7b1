package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// LoginBrowser exchanges the code of a web sign-in and begins a session of a browser. first
// is the session without what the code says of its user, without its ID, its start and its
// ends. It returns the sessions of the user that the new one ended.
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

// DeriveBrowser begins a session of a browser for the user of a session that has not ended:
// [ErrSessionRevoked], [ErrSessionReplaced]. first is as in [Service.LoginBrowser].
//
// The new session begins before the other one is read. If the user is logged out everywhere
// in between, the store refuses it: a logout would otherwise not end a session that was about
// to begin.
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
		return nil, s.over(id, err)
	}
	if err := s.admitDoor(session.Door); err != nil {
		return nil, err
	}
	if err := s.Revoked(&Identity{User: session.User, Session: session.ID, Parent: session.Parent}); err != nil {
		return nil, err
	}
	return session, nil
}

// Extend moves the ends of a session that has not ended, and returns it: the sessions of
// browsers do not refresh. Until accessEnd its identity may be in use; used says that its own
// user was there. The errors are those of [Service.Live].
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
	return extended, s.over(id, err)
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
