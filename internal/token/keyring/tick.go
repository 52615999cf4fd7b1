package keyring

import (
	"fmt"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/token/signing"
)

// maintain does what is due: it drops expired keys, creates the next key, and raises the
// lifetime of profiles to the lifetime of this replica's tokens. It changes nothing if another
// replica has already done all that.
func (s *state) maintain(cfg *Config, now time.Time) error {
	s.forget(now)
	here := s.signsHere(cfg, now)
	if here != nil && !here.RetiredAt.IsZero() && here.RetiredAt.Before(now) {
		here.RetiredAt = now // it isn't retired as long as this replica signs with it
	}
	signer := s.signer(now)
	if signer == nil {
		return fmt.Errorf("%w: the stored ring has no keys", ErrNoSigner)
	}
	if !signer.Given && s.next(now) == nil && !now.Before(signer.SignsFrom.Add(cfg.Rotate-ahead(cfg.Rotate))) {
		from := later(signer.SignsFrom.Add(cfg.Rotate), now.Add(ahead(cfg.Rotate)))
		next, err := s.follow(signer, now, from)
		if err != nil {
			return err
		}
		// It has signed nothing yet. A replica that gives its tokens a longer lifetime
		// raises this below, before the key signs.
		next.current().Access = cfg.Access
	}
	for _, r := range []*record{here, s.signer(now), s.next(now)} {
		if r != nil {
			r.current().Access = max(r.current().Access, cfg.Access)
		}
	}
	return nil
}

// signsHere returns the record that this replica signs with, as snapshot.signer does. During a
// rollout it is older than state.signer: the newest key is only in the configuration of another
// replica, and its private half is not stored.
func (s *state) signsHere(cfg *Config, now time.Time) *record {
	var first *record
	for _, r := range slices.Backward(s.Keys) {
		if !cfg.canSign(r) {
			continue
		}
		if first = r; !r.SignsFrom.After(now) {
			break
		}
	}
	return first
}

func (cfg *Config) canSign(r *record) bool {
	return !r.Given || r.Alg == signing.HS256 || cfg.Key != nil && cfg.Key.ID() == r.ID
}

// forget drops keys and profiles whose last token has expired.
func (s *state) forget(now time.Time) {
	expired := func(until time.Time) bool { return !until.IsZero() && !now.Before(until) }
	s.Keys = slices.DeleteFunc(s.Keys, func(r *record) bool { return expired(r.verifyUntil()) })
	s.Retired = slices.DeleteFunc(s.Retired, func(r retired) bool { return expired(r.Until) })
	for _, r := range s.Keys {
		r.Profiles = slices.DeleteFunc(r.Profiles, func(p Profile) bool {
			return !p.EndedAt.IsZero() && expired(r.until(&p))
		})
	}
}

// follow creates the key that signs after r, from a given time, with the algorithm and the
// profile of r. It keeps the profile's lifetime: other replicas may still issue tokens with
// that lifetime.
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
