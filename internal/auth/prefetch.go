package auth

import (
	"context"
	"fmt"
)

// PrefetchToken returns a token of the bearer's session for WeChat's servers, which send it
// with a prefetch. It is valid for prefetches only, is not stored, and ends with the session.
func (s *Service) PrefetchToken(id *Identity) (string, error) {
	return s.cfg.Tokens.SealPrefetch(id.Session)
}

// PrefetchByToken returns the user of a prefetch with a token of [Service.PrefetchToken].
// [ErrInvalidToken] for a token of another kind or another app. It reads the store: the token
// lives as long as its session, but a revocation is forgotten once the session's last access
// token has expired.
func (s *Service) PrefetchByToken(ctx context.Context, app AppID, token string) (*Identity, error) {
	id, err := s.cfg.Tokens.OpenPrefetch(token)
	if err != nil {
		return nil, err
	}
	session, err := s.Live(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case session.User.App != app:
		return nil, fmt.Errorf("%w: a prefetch token of app %q", ErrInvalidToken, session.User.App)
	case session.Door.Browser():
		return nil, fmt.Errorf("%w: a prefetch token of a browser session", ErrInvalidToken)
	}
	return &Identity{
		User: session.User, UnionID: session.UnionID, Session: session.ID, Phone: session.Phone, Risk: session.Risk, Dev: session.Door == DoorMinted,
		IssuedAt: session.CreatedAt, Expires: session.End(),
	}, nil
}

// PrefetchEnded returns an error if the session of a prefetch was revoked. A prefetch with
// a code has no session.
func (s *Service) PrefetchEnded(id *Identity) error {
	if id.Session == "" {
		return nil
	}
	return s.Revoked(id)
}

// PrefetchByCode returns the user of a prefetch with a login code. It begins no session. The
// session key that comes with the code is stored with those of the user's sessions: WeChat
// may have replaced the user's key, and the mini program continues its session and encrypts
// with the new key.
func (s *Service) PrefetchByCode(ctx context.Context, app AppID, code string) (*Identity, error) {
	who, err := s.exchange(ctx, app, code)
	if err != nil {
		return nil, err
	}
	now := s.cfg.Now()
	user := User{App: app, OpenID: who.OpenID}
	if err := s.cfg.Store.PutSessionKey(ctx, user, SessionKey{Key: who.SessionKey, ObtainedAt: now}); err != nil {
		return nil, err
	}
	return &Identity{User: user, UnionID: who.UnionID, IssuedAt: now, Expires: now.Add(s.cfg.Access)}, nil
}
