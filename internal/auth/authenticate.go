package auth

import "fmt"

// Authenticate decides whether an access token admits its bearer now:
// [ErrInvalidToken], [ErrTokenExpired], [ErrSessionRevoked] or [ErrSessionReplaced] when it
// does not. It reads memory only.
func (s *Service) Authenticate(raw string) (*Identity, error) {
	id, err := s.cfg.Tokens.Verify(raw)
	if err != nil {
		return nil, err
	}
	if err := s.Revoked(id); err != nil {
		return nil, err
	}
	if id.Dev {
		if err := s.admitDoor(DoorMinted); err != nil {
			return nil, err
		}
	}
	return id, nil
}

// Revoked returns an error if an identity was ended before its time: [ErrSessionRevoked],
// [ErrSessionReplaced]. It reads memory only.
func (s *Service) Revoked(id *Identity) error {
	if s.cfg.Revocations.Revoked(id) {
		return fmt.Errorf("%w: %s", s.revokedAs(id.Session), id.Session)
	}
	return nil
}

// revokedAs returns the class of a session's revocation. A replaced client must not log in
// again silently: it would replace the newer session, whose client would do the same, forever.
func (s *Service) revokedAs(id SessionID) error {
	if s.cfg.Revocations.Replaced(id) {
		return ErrSessionReplaced
	}
	return ErrSessionRevoked
}
