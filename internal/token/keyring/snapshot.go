package keyring

import (
	"fmt"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/token/signing"
)

// snapshot is the ring as requests see it. It never changes: a new one takes its
// place, so that requests read it without a lock.
type snapshot struct {
	byID  map[string]*Key
	order []*Key // in the order of succession

	retired []KeyInfo // only listed

	jwks []byte
	etag string
	now  func() time.Time
}

// newSnapshot makes keys of records. The configured key comes from the
// configuration, since the records hold it without its private half. before,
// which may be nil, saves reading the others again.
func newSnapshot(s *state, cfg *Config, before *snapshot) (*snapshot, error) {
	snap := &snapshot{byID: make(map[string]*Key, len(s.Keys)), now: cfg.Now}
	keys := make([]*signing.Key, 0, len(s.Keys))
	for _, r := range s.Keys {
		key, err := r.key(cfg.Key, before)
		if err != nil {
			return nil, err
		}
		e := &Key{Key: key, record: r, until: r.verifyUntil()}
		for i := range r.Profiles {
			e.profiles = append(e.profiles, span{Profile: r.Profiles[i], until: r.until(&r.Profiles[i])})
		}
		snap.byID[string(key.ID())] = e
		snap.order = append(snap.order, e)
		keys = append(keys, key)
	}
	for _, r := range s.Retired {
		snap.retired = append(snap.retired, KeyInfo{
			ID: r.ID, Alg: r.Alg, State: KeyRetired, Given: r.Given, CreatedAt: r.CreatedAt, SignsFrom: r.SignsFrom,
			RetiredAt: r.RetiredAt, VerifyUntil: r.Until, Issuer: r.Issuer, Audiences: r.Audiences,
		})
	}
	var err error
	snap.jwks, snap.etag, err = signing.JWKS(keys)
	return snap, err
}

// key reads a record's key. One that the configuration named is always read
// again, so that a private half that was taken out of it signs no more.
func (r *record) key(given *signing.Key, before *snapshot) (*signing.Key, error) {
	if given != nil && given.ID() == r.ID {
		return given, nil
	}
	if before != nil && !r.Given && before.byID[string(r.ID)] != nil {
		return before.byID[string(r.ID)].Key, nil
	}
	key, err := signing.FromMaterial(r.Alg, r.Material, r.Given)
	if err != nil {
		return nil, fmt.Errorf("%w: key %s: %w", ErrUnreadable, r.ID, err)
	}
	if key.ID() != r.ID {
		return nil, fmt.Errorf("%w: key %s has the thumbprint %s", ErrUnreadable, r.ID, key.ID())
	}
	return key, nil
}

// signer is the key that signs at now: the last in succession that has begun and
// whose private half is here.
func (s *snapshot) signer(now time.Time) (*Key, error) {
	var first *Key
	for _, e := range slices.Backward(s.order) {
		if !e.CanSign() {
			continue
		}
		if first = e; !e.record.SignsFrom.After(now) {
			return e, nil
		}
	}
	if first == nil {
		return nil, ErrNoSigner
	}
	return first, nil // the clock is behind: see state.signer
}

// accepted finds a key by its exact name; nil when its last token has ended.
func (s *snapshot) accepted(id string, now time.Time) *Key {
	e := s.byID[id]
	if e == nil || !e.until.IsZero() && !now.Before(e.until) {
		return nil
	}
	return e
}
