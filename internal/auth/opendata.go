package auth

import (
	"context"
	"errors"
	"fmt"
)

// open decrypts data that belongs to user, and calls check to accept it.
//
// Each attempt is counted before it is made, and every refusal of decrypted data is a
// failure, whatever its reason, because each refusal reveals something about the
// plaintext. Otherwise a user could forge any phone number with the
// gateway as a decryption oracle (Vaudenay, "Security Flaws Induced by CBC
// Padding", section 3.5: from decrypting to encrypting).
func (s *Service) open(ctx context.Context, user User, data OpenData, admitted Apps, check func(Opened) error) (Opened, error) {
	platform, err := s.platform(user.App, admitted)
	if err != nil {
		return Opened{}, err
	}
	keys, err := s.cfg.Store.SessionKeys(ctx, user)
	if err != nil {
		return Opened{}, err
	}
	if len(keys) == 0 {
		return Opened{}, fmt.Errorf("%w: no session key is kept for this user", ErrSessionStale)
	}
	usable, err := s.reserve(ctx, user, keys)
	if err != nil {
		return Opened{}, err
	}
	opened, err := platform.Open(usable, data)
	if len(usable) < len(keys) && errors.Is(err, ErrDecryptFailed) {
		err = fmt.Errorf("%w: a session_key is locked, and no other opens the data: %w", ErrSessionStale, err)
	}
	if err == nil {
		err = ownedBy(user.OpenID, opened)
	}
	if err == nil {
		err = check(opened)
	}
	var unchecked error
	if err == nil && opened.Phone != nil && !opened.Unverified {
		err, unchecked = splitCheck(platform.CheckPhone(ctx, data))
	}
	if err := s.settle(ctx, platform, user, usable, err); err != nil {
		return Opened{}, err
	}
	if unchecked != nil {
		return Opened{}, unchecked
	}
	return opened, nil
}

// splitCheck separates a forged phone number, which is a failed attempt, from a platform that
// cannot be reached. That is not the user's failure, and must not lock the session_key. But
// the number is refused as well: an outage must not let a forged number pass.
func splitCheck(err error) (forged, unchecked error) {
	if errors.Is(err, ErrDecryptFailed) {
		return err, nil
	}
	return nil, err
}

// ownedBy refuses data that names another user. This stops a user from presenting the data of
// another.
func ownedBy(openid OpenID, opened Opened) error {
	if opened.OpenID != "" && opened.OpenID != openid {
		return fmt.Errorf("%w: the data belongs to another user", ErrDecryptFailed)
	}
	return nil
}

func isProfile(opened Opened) error {
	if opened.OpenID == "" || opened.Phone != nil {
		return fmt.Errorf("%w: the data is not a profile", ErrDecryptFailed)
	}
	return nil
}

// anything accepts all data.
func anything(Opened) error { return nil }

// reserve counts an attempt to decrypt a user's data and returns the keys that may be tried.
// The attempt is written first: if the store is down, nothing is decrypted.
func (s *Service) reserve(ctx context.Context, user User, keys []SessionKey) (usable []SessionKey, err error) {
	var refused error
	err = s.cfg.Store.UpdateAttempts(ctx, user, func(a *Attempts) {
		usable, refused = a.reserve(user, keys, s.cfg.Now())
	})
	if err != nil {
		return nil, err
	}
	return usable, refused
}

// settle ends an attempt on keys; outcome is the attempt's error. It returns outcome, or why
// the end could not be written: the attempt then counts as pending.
func (s *Service) settle(ctx context.Context, platform Platform, user User, keys []SessionKey, outcome error) error {
	// Data in the wrong form is refused before anything is decrypted.
	failed := outcome != nil && !errors.Is(outcome, ErrInvalidRequest)
	ctx = context.WithoutCancel(ctx) // a client that disconnects must not leave its attempt pending
	var locked []SessionKey
	err := s.cfg.Store.UpdateAttempts(ctx, user, func(a *Attempts) {
		locked = a.settle(user, keys, failed, s.cfg.Now())
	})
	if err != nil {
		return err
	}
	for _, key := range locked {
		s.locked(ctx, platform, user, key)
	}
	return outcome
}

// locked has the platform replace a locked session_key, if it can, so that the user is not
// locked out for as long as the platform returns the same key. A failure changes nothing: the
// key stays locked.
func (s *Service) locked(ctx context.Context, platform Platform, user User, key SessionKey) {
	err := s.resetKey(ctx, platform, user, key)
	if s.cfg.KeyLocked != nil {
		s.cfg.KeyLocked(user, err)
	}
}
