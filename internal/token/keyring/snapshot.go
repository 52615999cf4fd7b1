package keyring

import (
	"fmt"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/token/signing"
)

// snapshot is the ring as requests read it, without a lock. It never changes: a
// changed ring gets a new snapshot.
type snapshot struct {
	byID  map[string]*Key
	order []*Key // in the order of succession

	retired []KeyInfo // for Ring.Keys only

	jwks []byte
	etag string
	now  func() time.Time
}

// newSnapshot returns the keys of records. It takes the configured key from the configuration,
// since its record has no private half. It takes the other keys from before if possible, to
// avoid parsing them again; before may be nil.
func newSnapshot(s *state, cfg *Config, before *snapshot) (*snapshot, error) {
	snap := &snapshot{byID: make(map[string]*Key, len(s.Keys)), now: cfg.Now}
	keys := make([]*signing.Key, 0, len(s.Keys))
	for _, r := range s.Keys {
		key, err := r.key(cfg.Key, before)
		if err != nil {
			return nil, err
		}
		k := &Key{Key: key, record: r, until: r.verifyUntil()}
		for i := range r.Profiles {
			k.profiles = append(k.profiles, profileSpan{Profile: r.Profiles[i], until: r.until(&r.Profiles[i])})
		}
		snap.byID[string(key.ID())] = k
		snap.order = append(snap.order, k)
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

// key returns the key of a record. It never takes a configured key from before: if the
// configuration no longer names the key, its private half must not sign any more.
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

// signer returns the key that signs at now: the last key in the order of succession that has
// started to sign and whose private half this process has. If no such key has started, the
// clock is behind, and signer returns the first: see state.signer.
func (s *snapshot) signer(now time.Time) (*Key, error) {
	var first *Key
	for _, k := range slices.Backward(s.order) {
		if !k.CanSign() {
			continue
		}
		if first = k; !k.record.SignsFrom.After(now) {
			break
		}
	}
	if first == nil {
		return nil, ErrNoSigner
	}
	return first, nil
}

// accepted returns the key with exactly this ID; nil if its last token has expired.
func (s *snapshot) accepted(id string, now time.Time) *Key {
	k := s.byID[id]
	if k == nil || !k.until.IsZero() && !now.Before(k.until) {
		return nil
	}
	return k
}
