package auth

import (
	"context"
	"errors"
	"fmt"
)

// CheckSessionKey asks the platform whether the user's newest session key is still valid. An
// invalid key is forgotten: [ErrSessionStale].
func (s *Service) CheckSessionKey(ctx context.Context, u User) error {
	platform, key, err := s.newestKey(ctx, u)
	if err != nil {
		return err
	}
	return s.dropStale(ctx, u, key, platform.CheckSession(ctx, u.OpenID, key))
}

// ResetSessionKey has the platform replace the user's newest session key, and
// keeps the new one in its place. A key that the platform no longer knows is
// forgotten: [ErrSessionStale].
func (s *Service) ResetSessionKey(ctx context.Context, u User) error {
	platform, key, err := s.newestKey(ctx, u)
	if err != nil {
		return err
	}
	return s.resetKey(ctx, platform, u, key)
}

func (s *Service) resetKey(ctx context.Context, platform Platform, u User, key SessionKey) error {
	fresh, err := platform.ResetSessionKey(ctx, u.OpenID, key)
	if err != nil {
		return s.dropStale(ctx, u, key, err)
	}
	// The new key is written before the old key is dropped: a crash in between leaves one
	// key too many, not one too few.
	if err := s.cfg.Store.PutSessionKey(ctx, u, fresh); err != nil {
		return err
	}
	return s.cfg.Store.DropSessionKey(ctx, u, key)
}

func (s *Service) newestKey(ctx context.Context, u User) (Platform, SessionKey, error) {
	platform, ok := s.cfg.Apps[u.App]
	if !ok {
		return nil, SessionKey{}, fmt.Errorf("%w: %q is not configured", ErrUnknownApp, u.App)
	}
	keys, err := s.cfg.Store.SessionKeys(ctx, u)
	if err != nil {
		return nil, SessionKey{}, err
	}
	if len(keys) == 0 {
		return nil, SessionKey{}, fmt.Errorf("%w: no session key is kept for this user", ErrSessionStale)
	}
	return platform, keys[0], nil
}

// dropStale forgets a key that the platform reported as stale.
func (s *Service) dropStale(ctx context.Context, u User, key SessionKey, err error) error {
	if !errors.Is(err, ErrSessionStale) {
		return err
	}
	return errors.Join(err, s.cfg.Store.DropSessionKey(ctx, u, key))
}
