package keyring

import (
	"fmt"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/signing"
)

// maintain does what time asks for: it forgets what has ended, makes the next
// key when it is due, and lets this replica's tokens live as long as it gives
// them. It is a no-op when another replica has done it already.
func (s *state) maintain(cfg *Config, now time.Time) error {
	s.forget(now)
	here := s.signsHere(cfg, now)
	if here != nil && !here.RetiredAt.IsZero() && here.RetiredAt.Before(now) {
		here.RetiredAt = now // not yet, as long as this replica signs with it
	}
	signer := s.signer(now)
	if signer == nil {
		return fmt.Errorf("%w: the stored ring has none that has begun", ErrNoSigner)
	}
	if !signer.Given && s.next(now) == nil && !now.Before(signer.SignsFrom.Add(cfg.Rotate-ahead(cfg.Rotate))) {
		from := signer.SignsFrom.Add(cfg.Rotate)
		if soonest := now.Add(ahead(cfg.Rotate)); from.Before(soonest) {
			from = soonest
		}
		next, err := s.follow(signer, now, from)
		if err != nil {
			return err
		}
		// It has signed nothing yet. A replica that gives its tokens a longer life
		// says so below, before the key signs.
		next.current().Access = cfg.Access
	}
	for _, r := range []*record{here, s.signer(now), s.next(now)} {
		if r != nil && r.current().Access < cfg.Access {
			r.current().Access = cfg.Access
		}
	}
	return nil
}

// signsHere is the record that a replica signs with, as snapshot.signer has it. It
// is an older one than signer's where the newest is named by another replica's
// configuration only, in the middle of a rollout: given keys are not stored with
// their private half.
func (s *state) signsHere(cfg *Config, now time.Time) *record {
	var first *record
	for _, r := range slices.Backward(s.Keys) {
		if !cfg.canSign(r) {
			continue
		}
		if first = r; !r.SignsFrom.After(now) {
			return r
		}
	}
	return first
}

func (cfg *Config) canSign(r *record) bool {
	return !r.Given || r.Alg == signing.HS256 || cfg.Key != nil && cfg.Key.ID() == r.ID
}

// forget drops keys and profiles whose last token has ended.
func (s *state) forget(now time.Time) {
	ended := func(until time.Time) bool { return !until.IsZero() && !now.Before(until) }
	s.Keys = slices.DeleteFunc(s.Keys, func(r *record) bool { return ended(r.verifyUntil()) })
	s.Retired = slices.DeleteFunc(s.Retired, func(r retired) bool { return ended(r.Until) })
	for _, r := range s.Keys {
		r.Profiles = slices.DeleteFunc(r.Profiles, func(p Profile) bool {
			return !p.EndedAt.IsZero() && ended(r.until(&p))
		})
	}
}

// follow makes the key that signs after r, with its algorithm and profile. Others
// may still give their tokens as long a life as r did.
func (s *state) follow(r *record, now, from time.Time) (*record, error) {
	key, err := signing.Generate(r.Alg)
	if err != nil {
		return nil, err
	}
	p := *r.current()
	p.EndedAt = time.Time{}
	successor, err := newRecord(key, false, p, now)
	if err != nil {
		return nil, err
	}
	s.succeed(successor, from)
	return successor, nil
}

// rotate makes the next key before its time. Without immediate it signs once it
// has been published long enough for everybody to know it.
func (s *state) rotate(cfg *Config, immediate bool, now time.Time) (*record, error) {
	signer := s.signer(now)
	if signer == nil {
		return nil, fmt.Errorf("%w: the stored ring has none that has begun", ErrNoSigner)
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

// retire takes a key out at once and says until when its tokens would have
// lived. A key that signs gets a successor that signs from now.
func (s *state) retire(id auth.KeyID, now time.Time) (time.Time, error) {
	gone := s.find(id)
	if gone == nil {
		return time.Time{}, fmt.Errorf("%w: %q", ErrUnknownKey, id)
	}
	signer, next := s.signer(now), s.next(now)
	s.remove(gone)
	if gone.Given && !slices.Contains(s.Refused, id) {
		// A configuration that still names it must not bring it back.
		s.Refused = append(s.Refused, id)
		s.Refused = s.Refused[max(0, len(s.Refused)-maxRefused):]
	}
	switch {
	case gone == next && signer != nil:
		signer.RetiredAt = time.Time{}
	case gone == signer && next != nil:
		s.succeed(next, now)
	case gone == signer:
		if _, err := s.follow(gone, now, now); err != nil {
			return time.Time{}, err
		}
	}
	if gone.RetiredAt.IsZero() || gone.RetiredAt.After(now) {
		gone.RetiredAt = now
	}
	s.list(gone)
	return gone.verifyUntil(), nil
}

// list keeps what operators see of a key that was retired.
func (s *state) list(gone *record) {
	p := gone.current()
	s.unlist(gone.ID)
	s.Retired = append(s.Retired, retired{
		ID: gone.ID, Alg: gone.Alg, Given: gone.Given, CreatedAt: gone.CreatedAt, SignsFrom: gone.SignsFrom,
		RetiredAt: gone.RetiredAt, Until: gone.verifyUntil(), Issuer: p.Issuer, Audiences: p.Audiences,
	})
	s.Retired = s.Retired[max(0, len(s.Retired)-maxRetired):]
}

func (s *state) unlist(id auth.KeyID) {
	s.Retired = slices.DeleteFunc(s.Retired, func(r retired) bool { return r.ID == id })
}
