package keyring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token/signing"
)

const (
	stateVersion = 1
	sealPurpose  = "signing-keys"

	// maxKeys limits the ring, and with it the published key set. A ring with daily
	// rotations and tokens that live for a month has 60 keys.
	maxKeys = 64
	// maxProfiles limits the profiles of one key: changed issuers and audiences.
	maxProfiles = 32
	// maxRefused limits the IDs of retired keys that must not return, 60 bytes each.
	maxRefused = 256
	// maxRetired limits the retired keys that are listed.
	maxRetired = 64
)

// state is the ring as it is stored: JSON, sealed.
type state struct {
	Version  int          `json:"version"`
	SealedBy string       `json:"sealed_by"` // the ID of the root secret
	Keys     []*record    `json:"keys"`      // in the order of succession, the newest last
	Refused  []auth.KeyID `json:"refused,omitempty"`
	// Retired lists retired keys for operators. Their tokens are refused because the
	// keys are not in Keys.
	Retired []retired `json:"retired,omitempty"`

	// The keys that the last call of [amend] made and retired; not stored.
	made, gone []auth.KeyID
}

// retired describes a retired key, without its material.
type retired struct {
	ID        auth.KeyID  `json:"kid"`
	Alg       signing.Alg `json:"alg"`
	Given     bool        `json:"given,omitempty"`
	CreatedAt time.Time   `json:"created_at"`
	SignsFrom time.Time   `json:"signs_from"`
	RetiredAt time.Time   `json:"retired_at"`
	Until     time.Time   `json:"until"` // when its last token would have expired
	Issuer    string      `json:"issuer"`
	Audiences []string    `json:"audiences"`
}

// record is one stored key.
type record struct {
	ID        auth.KeyID  `json:"kid"`
	Alg       signing.Alg `json:"alg"`
	Given     bool        `json:"given,omitempty"` // the configuration names it
	Material  []byte      `json:"material"`
	CreatedAt time.Time   `json:"created_at"`
	SignsFrom time.Time   `json:"signs_from"`
	// RetiredAt is when its successor starts to sign; zero for the newest key.
	RetiredAt time.Time `json:"retired_at,omitzero"`
	// Profiles are the profiles that the key signed under. The last is the current one.
	Profiles []Profile `json:"profiles"`
}

// Profile is what the tokens of a key have in common. A key has several if the
// configuration changed.
type Profile struct {
	Issuer    string        `json:"issuer"`
	Audiences []string      `json:"audiences"`
	Access    time.Duration `json:"access"`            // the longest lifetime of a token
	EndedAt   time.Time     `json:"ended_at,omitzero"` // zero while the key signs under it
}

func (p *Profile) same(issuer string, audiences []string) bool {
	return p.Issuer == issuer && slices.Equal(p.Audiences, audiences)
}

// until returns when the last token of a profile expires; zero while the key signs
// under it.
func (r *record) until(p *Profile) time.Time {
	end := p.EndedAt
	if end.IsZero() {
		end = r.RetiredAt
	}
	if end.IsZero() {
		return time.Time{}
	}
	return end.Add(p.Access + replicaLag)
}

// verifyUntil returns when the last token of a key expires; zero while it signs.
func (r *record) verifyUntil() time.Time {
	if r.RetiredAt.IsZero() {
		return time.Time{}
	}
	var last time.Time
	for i := range r.Profiles {
		if until := r.until(&r.Profiles[i]); until.After(last) {
			last = until
		}
	}
	return last
}

// current returns the profile that the key signs under.
func (r *record) current() *Profile { return &r.Profiles[len(r.Profiles)-1] }

// parseState reads a stored ring; nil is a ring that was never stored.
func parseState(box *seal.Box, blob []byte) (*state, error) {
	if blob == nil {
		return &state{Version: stateVersion}, nil
	}
	text, err := box.Open(sealPurpose, blob, nil)
	if errors.Is(err, seal.ErrUnknownSecret) {
		return nil, fmt.Errorf("%w: configure that secret after the new one, as in `secret <new> <old>`, "+
			"or delete the stored keys, which ends every access token", ErrOtherSecret)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: restore it from a backup, or delete it, which ends every access token: %w", ErrUnreadable, err)
	}
	s := &state{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return s, s.check()
}

// check refuses a state that this version of wxgate did not write.
func (s *state) check() error {
	if s.Version != stateVersion {
		return fmt.Errorf("%w: version %d, this wxgate knows %d; run the newer wxgate that wrote it",
			ErrUnreadable, s.Version, stateVersion)
	}
	for _, r := range s.Keys {
		if r == nil || len(r.Profiles) == 0 {
			return fmt.Errorf("%w: a key without a profile", ErrUnreadable)
		}
	}
	return nil
}

// text returns the state as JSON, to be sealed. Only text limits the size of the state, so that
// neither rotations nor changed settings let it grow without limit.
func (s *state) text() ([]byte, error) {
	if len(s.Keys) > maxKeys {
		return nil, fmt.Errorf("%w: %d, at most %d are kept; retire some, or rotate less often", ErrFull, len(s.Keys), maxKeys)
	}
	for _, r := range s.Keys {
		if len(r.Profiles) > maxProfiles {
			return nil, fmt.Errorf("%w: key %s under %d issuers and audiences, at most %d; wait until old tokens have ended",
				ErrFull, r.ID, len(r.Profiles), maxProfiles)
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("writing the signing keys: %w", err)
	}
	return text, nil
}

// amend opens a stored ring, calls change with it and seals the result. sealed is nil if
// nothing must be written: change changed nothing, and the ring is already sealed with the
// newest root secret.
func amend(box *seal.Box, blob []byte, change func(*state) error) (s *state, sealed []byte, err error) {
	if s, err = parseState(box, blob); err != nil {
		return nil, nil, err
	}
	before, err := s.text()
	if err != nil {
		return nil, nil, err
	}
	keys, gone := s.keyIDs(), s.retiredIDs()
	if err := change(s); err != nil {
		return nil, nil, err
	}
	s.made, s.gone = added(keys, s.keyIDs()), added(gone, s.retiredIDs())
	s.SealedBy = box.ID()
	after, err := s.text()
	if err != nil || blob != nil && bytes.Equal(before, after) {
		return s, nil, err
	}
	sealed, err = box.Seal(sealPurpose, after, nil)
	return s, sealed, err
}

func (s *state) keyIDs() (ids []auth.KeyID) {
	for _, r := range s.Keys {
		ids = append(ids, r.ID)
	}
	return ids
}

func (s *state) retiredIDs() (ids []auth.KeyID) {
	for _, r := range s.Retired {
		ids = append(ids, r.ID)
	}
	return ids
}

// added returns the IDs that only the second list has.
func added(before, after []auth.KeyID) []auth.KeyID {
	return slices.DeleteFunc(after, func(id auth.KeyID) bool { return slices.Contains(before, id) })
}
