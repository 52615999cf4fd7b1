package keyring

import (
	"fmt"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/signing"
)

const (
	// JWKSMaxAge is how long others may keep the published key set.
	JWKSMaxAge = 5 * time.Minute
	// publishAhead is how long a new key is published before it first signs:
	// whoever fetched the set just before it came, and once failed to renew it,
	// knows it in time.
	publishAhead = 2 * JWKSMaxAge
	// MaxSkew is how far the clocks of two replicas may differ.
	MaxSkew = 30 * time.Second
	// replicaLag is how long another replica may go on signing under a key or
	// profile that was replaced here: its next reload, and clocks that differ.
	replicaLag = reloadEvery + MaxSkew
)

// ahead is publishAhead, or half of a life that is too short for it.
func ahead(rotate time.Duration) time.Duration { return min(publishAhead, rotate/2) }

// signer is the record that signs at now: the last in succession that has
// begun. Where the clock says that none has, it is the first: a replica whose
// clock is behind must not replace the keys of the others.
func (s *state) signer(now time.Time) *record {
	for _, r := range slices.Backward(s.Keys) {
		if !r.SignsFrom.After(now) {
			return r
		}
	}
	if len(s.Keys) > 0 {
		return s.Keys[0]
	}
	return nil
}

// next is the record that is published and does not sign yet, if there is one.
func (s *state) next(now time.Time) *record {
	if len(s.Keys) == 0 {
		return nil
	}
	last := s.Keys[len(s.Keys)-1]
	if last == s.signer(now) || !last.SignsFrom.After(now) {
		return nil
	}
	return last
}

// begun reports whether a key may have signed, here or where the clock is ahead.
func (r *record) begun(now time.Time) bool { return !r.SignsFrom.After(now.Add(MaxSkew)) }

// find is the record of a key.
func (s *state) find(id auth.KeyID) *record {
	for _, r := range s.Keys {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// remove takes a record out.
func (s *state) remove(gone *record) {
	s.Keys = slices.DeleteFunc(s.Keys, func(r *record) bool { return r == gone })
}

// reconcile makes the state follow a configuration. What signed until now keeps
// verifying its own tokens, so that a changed setting logs nobody out.
func (s *state) reconcile(cfg *Config, now time.Time) error {
	if cfg.Key != nil && slices.Contains(s.Refused, cfg.Key.ID()) {
		return fmt.Errorf("%w: %s must not sign again; configure another key, or none to have one made", ErrKeyRefused, cfg.Key.ID())
	}
	signer := s.signer(now.Add(MaxSkew)) // or will in a moment, and does already elsewhere
	longest := cfg.Access
	if signer != nil {
		longest = max(longest, signer.current().Access)
	}
	if signer == nil || !cfg.wants(signer) {
		successor, err := s.successor(cfg, now)
		if err != nil {
			return err
		}
		s.succeed(successor, now)
	}
	for _, r := range []*record{s.signer(now), s.next(now)} {
		if r != nil {
			r.use(cfg, now)
		}
	}
	// Requests that began under the configuration before issue tokens of its life.
	p := s.signer(now).current()
	p.Access = max(p.Access, longest)
	return nil
}

// wants reports whether a configuration is content with a key that signs.
func (cfg *Config) wants(r *record) bool {
	if cfg.Key != nil {
		return r.ID == cfg.Key.ID()
	}
	return !r.Given && r.Alg == cfg.Alg
}

// successor is the key that a changed configuration asks for: one the ring still
// holds, when it is not due for rotation anyway, so that settings that are
// changed to and fro do not fill the ring; else a new one.
func (s *state) successor(cfg *Config, now time.Time) (*record, error) {
	for _, r := range slices.Backward(s.Keys) {
		if cfg.wants(r) && (r.Given || now.Before(r.SignsFrom.Add(cfg.Rotate))) {
			return r, nil
		}
	}
	key := cfg.Key
	if key == nil {
		var err error
		if key, err = signing.Generate(cfg.Alg); err != nil {
			return nil, err
		}
	}
	return newRecord(key, cfg.Key != nil, cfg.profile(), now)
}

func newRecord(key *signing.Key, given bool, p Profile, now time.Time) (*record, error) {
	material, err := key.Material(given)
	if err != nil {
		return nil, fmt.Errorf("writing a signing key: %w", err)
	}
	return &record{
		ID: key.ID(), Alg: key.Alg(), Given: given, Material: material,
		CreatedAt: now, SignsFrom: now, Profiles: []Profile{p},
	}, nil
}

// succeed makes r the last in succession, signing from at. What signs until then
// is retired at that time; what was to sign next never will.
func (s *state) succeed(r *record, at time.Time) {
	s.remove(r)
	if next := s.next(at); next != nil && !next.begun(at) {
		s.remove(next)
	}
	for _, other := range s.Keys {
		if other.RetiredAt.IsZero() || other.RetiredAt.After(at) {
			other.RetiredAt = at
		}
	}
	if r.SignsFrom.After(at) || r.RetiredAt.IsZero() {
		r.SignsFrom = at
	}
	r.RetiredAt = time.Time{}
	s.Keys = append(s.Keys, r)
}

// use has a key that signs, or will, do so under the configuration's profile.
func (r *record) use(cfg *Config, now time.Time) {
	if !r.begun(now) {
		r.Profiles = []Profile{cfg.profile()} // it has signed nothing yet
		return
	}
	p := r.current()
	if !p.same(cfg.Issuer, cfg.Audiences) {
		p.EndedAt = now
		i := slices.IndexFunc(r.Profiles, func(p Profile) bool { return p.same(cfg.Issuer, cfg.Audiences) })
		again := cfg.profile()
		if i >= 0 {
			again.Access = max(again.Access, r.Profiles[i].Access)
			r.Profiles = slices.Delete(r.Profiles, i, i+1)
		}
		r.Profiles = append(r.Profiles, again)
		p = r.current()
	}
	p.Access = max(p.Access, cfg.Access)
}
