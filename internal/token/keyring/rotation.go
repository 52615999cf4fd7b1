package keyring

import (
	"fmt"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/signing"
)

const (
	// JWKSMaxAge is how long clients may cache the published key set.
	JWKSMaxAge = 5 * time.Minute
	// publishAhead is how long a new key is published before it first signs. A client
	// that fetched the key set just before, and whose next fetch failed, still knows
	// the key in time.
	publishAhead = 2 * JWKSMaxAge
	// MaxSkew is how far the clocks of two replicas may differ. Package token accepts
	// tokens that another replica issues that far in the future.
	MaxSkew = 30 * time.Second
	// replicaLag is how long another replica may still sign under a key or profile
	// that this one replaced: until its next reload, by its clock.
	replicaLag = reloadEvery + MaxSkew
)

// ahead returns publishAhead, or half of the rotation interval if that is shorter.
func ahead(rotate time.Duration) time.Duration { return min(publishAhead, rotate/2) }

// signer returns the record that signs at now: the last record that has started to sign. If
// none has started, it returns the first: a replica whose clock is behind must not replace the
// keys of the others. It returns nil if there are no keys.
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

// next returns the record that is published but does not sign yet; nil if there is none.
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

// started reports whether a key may have signed, here or on a replica whose clock is
// ahead.
func (r *record) started(now time.Time) bool { return !r.SignsFrom.After(now.Add(MaxSkew)) }

// find returns the record of a key; nil if there is none.
func (s *state) find(id auth.KeyID) *record {
	for _, r := range s.Keys {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// remove removes a record.
func (s *state) remove(gone *record) {
	s.Keys = slices.DeleteFunc(s.Keys, func(r *record) bool { return r == gone })
}

// reconcile applies a configuration to the state. Replaced keys and profiles keep verifying
// their tokens, so that a changed setting logs no user out.
func (s *state) reconcile(cfg *Config, now time.Time) error {
	if cfg.Key != nil && slices.Contains(s.Refused, cfg.Key.ID()) {
		return fmt.Errorf("%w: %s must not sign again; configure another key, or none to have one generated", ErrKeyRefused, cfg.Key.ID())
	}
	signer := s.signer(now.Add(MaxSkew)) // a replica whose clock is ahead may sign with it already
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
	// Requests that started under the previous configuration still issue tokens with
	// its lifetime.
	p := s.signer(now).current()
	p.Access = max(p.Access, longest)
	return nil
}

// wants reports whether a key is the one that a configuration requires.
func (cfg *Config) wants(r *record) bool {
	if cfg.Key != nil {
		return r.ID == cfg.Key.ID()
	}
	return !r.Given && r.Alg == cfg.Alg
}

// successor returns the key that a changed configuration requires. It reuses a key that is
// still in the ring and not due for rotation, so that switching a setting back and forth does
// not fill the ring. Otherwise it creates a key.
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

// succeed makes r the last record, which signs from the time at. It retires the key that signs
// until then, and removes a key that was to sign next.
func (s *state) succeed(r *record, at time.Time) {
	s.remove(r)
	if next := s.next(at); next != nil && !next.started(at) {
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

// use sets the configuration's profile for a key that signs, or signs next.
func (r *record) use(cfg *Config, now time.Time) {
	if !r.started(now) {
		r.Profiles = []Profile{cfg.profile()} // it has signed no token yet
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
