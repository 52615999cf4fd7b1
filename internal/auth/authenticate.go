package auth

import "fmt"

// Authenticate decides whether an access token admits its bearer now:
// [ErrInvalidToken], [ErrTokenExpired] or [ErrSessionRevoked] when it does not.
// It never leaves the process.
func (s *Service) Authenticate(raw string) (*Identity, error) {
	id, err := s.cfg.Tokens.Verify(raw)
	if err != nil {
		return nil, err
	}
	if s.cfg.Revocations.Revoked(id) {
		return nil, fmt.Errorf("%w: %s", ErrSessionRevoked, id.Session)
	}
	if id.Dev {
		if err := s.admitDoor(DoorMinted); err != nil {
			return nil, err
		}
	}
	return id, nil
}
