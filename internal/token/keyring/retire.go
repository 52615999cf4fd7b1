package keyring

import (
	"fmt"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// rotate creates the next key before it is due. The key signs once every client of the key set
// can know it; with immediate, it signs at once.
func (s *state) rotate(cfg *Config, immediate bool, now time.Time) (*record, error) {
	signer := s.signer(now)
	if signer == nil {
		return nil, fmt.Errorf("%w: the stored ring has no keys", ErrNoSigner)
	}
	if signer.Given {
		return nil, fmt.Errorf("%w: change `key` there to rotate it, or retire %s", ErrKeyGiven, signer.ID)
	}
	from := now.Add(ahead(cfg.Rotate))
	if immediate {
		from = now
	}
	if next := s.next(now); next != nil {
		if immediate {
			s.succeed(next, now)
		}
		return next, nil
	}
	return s.follow(signer, now, from)
}

// retire removes a key at once and returns when its last token would have expired.
// If the key signs, a successor signs from now on.
func (s *state) retire(id auth.KeyID, now time.Time) (time.Time, error) {
	removed := s.find(id)
	if removed == nil {
		return time.Time{}, fmt.Errorf("%w: %q", ErrUnknownKey, id)
	}
	signer, next := s.signer(now), s.next(now)
	s.remove(removed)
	if removed.Given {
		s.refuse(id) // a configuration that still names it must not bring it back
	}
	if removed == next {
		signer.RetiredAt = time.Time{}
	}
	if removed == signer {
		if err := s.replace(removed, next, now); err != nil {
			return time.Time{}, err
		}
	}
	if removed.RetiredAt.IsZero() || removed.RetiredAt.After(now) {
		removed.RetiredAt = now
	}
	until, p := removed.verifyUntil(), removed.current()
	s.list(retired{
		ID: removed.ID, Alg: removed.Alg, Given: removed.Given, CreatedAt: removed.CreatedAt, SignsFrom: removed.SignsFrom,
		RetiredAt: removed.RetiredAt, Until: until, Issuer: p.Issuer, Audiences: p.Audiences,
	})
	return until, nil
}

// replace makes next sign from now on in place of a key that was removed, or a new key if next
// is nil.
func (s *state) replace(removed, next *record, now time.Time) error {
	if next != nil {
		s.succeed(next, now)
		return nil
	}
	_, err := s.follow(removed, now, now)
	return err
}

// refuse remembers that a configured key was retired.
func (s *state) refuse(id auth.KeyID) {
	if slices.Contains(s.Refused, id) {
		return
	}
	s.Refused = append(s.Refused, id)
	s.Refused = s.Refused[max(0, len(s.Refused)-maxRefused):]
}

// list keeps a retired key in the list for operators.
func (s *state) list(removed retired) {
	s.Retired = slices.DeleteFunc(s.Retired, func(r retired) bool { return r.ID == removed.ID })
	s.Retired = append(s.Retired, removed)
	s.Retired = s.Retired[max(0, len(s.Retired)-maxRetired):]
}
