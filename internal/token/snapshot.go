package token

import (
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// snapshot is the ring as requests see it. It never changes: a new one takes its
// place, so that requests read it without a lock.
type snapshot struct {
	byID  map[string]*entry
	order []*entry // in the order of succession

	retired []KeyInfo // only listed

	jwks []byte
	etag string
	now  func() time.Time
}

// entry is one key of a snapshot.
type entry struct {
	*Key
	record   *record
	until    time.Time // no longer accepted from then on; zero while it signs
	profiles []span

	accessHeader    string // the first part of its tokens
	assertionHeader string // the first part of its assertions
}

// span is a profile and when its last token has ended.
type span struct {
	profile
	until time.Time // zero while the key signs under it
}

// newSnapshot makes keys of records. The configured key comes from the
// configuration, since the records hold it without its private half. before,
// which may be nil, saves reading the others again.
func newSnapshot(s *state, cfg *RingConfig, before *snapshot) (*snapshot, error) {
	snap := &snapshot{byID: make(map[string]*entry, len(s.Keys)), now: cfg.Now}
	keys := make([]*Key, 0, len(s.Keys))
	for _, r := range s.Keys {
		key, err := r.key(cfg.Key, before)
		if err != nil {
			return nil, err
		}
		e := &entry{Key: key, record: r, until: r.verifyUntil()}
		for i := range r.Profiles {
			e.profiles = append(e.profiles, span{profile: r.Profiles[i], until: r.until(&r.Profiles[i])})
		}
		if e.accessHeader, err = encodeHeader(key, typAccess); err != nil {
			return nil, err
		}
		if e.assertionHeader, err = encodeHeader(key, typAssertion); err != nil {
			return nil, err
		}
		snap.byID[string(key.id)] = e
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
	snap.jwks, snap.etag, err = writeJWKS(keys)
	return snap, err
}

// key reads a record's key. One that the configuration named is always read
// again, so that a private half that was taken out of it signs no more.
func (r *record) key(given *Key, before *snapshot) (*Key, error) {
	if given != nil && given.id == r.ID {
		return given, nil
	}
	if before != nil && !r.Given && before.byID[string(r.ID)] != nil {
		return before.byID[string(r.ID)].Key, nil
	}
	key, err := keyFromMaterial(r.Alg, r.Material, r.Given)
	if err != nil {
		return nil, fmt.Errorf("%w: key %s: %w", ErrRingUnreadable, r.ID, err)
	}
	if key.id != r.ID {
		return nil, fmt.Errorf("%w: key %s has the thumbprint %s", ErrRingUnreadable, r.ID, key.id)
	}
	return key, nil
}

func encodeHeader(key *Key, typ string) (string, error) {
	text, err := json.Marshal(header{Alg: key.alg, Typ: typ, Kid: string(key.id)})
	if err != nil {
		return "", fmt.Errorf("writing a token's header: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}

// signer is the key that signs at now: the last in succession that has begun and
// whose private half is here.
func (s *snapshot) signer(now time.Time) (*entry, error) {
	var first *entry
	for _, e := range slices.Backward(s.order) {
		if e.private == nil {
			continue
		}
		if first = e; !e.record.SignsFrom.After(now) {
			return e, nil
		}
	}
	if first == nil {
		return nil, ErrNoSigner
	}
	return first, nil // the clock is behind: see state.signing
}

// accepted finds a key by its exact name; nil when its last token has ended.
func (s *snapshot) accepted(id string, now time.Time) *entry {
	e := s.byID[id]
	if e == nil || !e.until.IsZero() && !now.Before(e.until) {
		return nil
	}
	return e
}

// current is the profile that the key signs under.
func (e *entry) current() *span { return &e.profiles[len(e.profiles)-1] }

// profileFor finds the profile that a token's issuer and one of its audiences
// belong to; nil when there is none, or its last token has ended. Where several
// have the audience, since the configuration changed the others, it is the one
// whose tokens live longest: a token does not say under which it was made.
func (e *entry) profileFor(issuer string, audiences []string, now time.Time) *span {
	var found *span
	for i := range e.profiles {
		p := &e.profiles[i]
		if p.Issuer != issuer || !p.until.IsZero() && !now.Before(p.until) || found != nil && found.Access >= p.Access {
			continue
		}
		if slices.ContainsFunc(p.Audiences, func(own string) bool { return slices.Contains(audiences, own) }) {
			found = p
		}
	}
	return found
}
