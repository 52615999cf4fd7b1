package keyring

import (
	"context"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/signing"
)

// KeyState is the current use of a key.
type KeyState string

// The states of a key, in the order in which it goes through them.
const (
	KeyNext      KeyState = "next"      // published, does not sign yet
	KeySigning   KeyState = "signing"   // signs new tokens
	KeyVerifying KeyState = "verifying" // replaced; verifies until its last token expires
	KeyRetired   KeyState = "retired"   // refused; listed until its last token would have expired
)

// KeyInfo describes a key for operators. It never has the private half.
type KeyInfo struct {
	ID          auth.KeyID
	Alg         signing.Alg
	State       KeyState
	Given       bool // from the configuration
	CreatedAt   time.Time
	SignsFrom   time.Time
	RetiredAt   time.Time // when its successor starts to sign; zero without a successor
	VerifyUntil time.Time // zero without a successor
	Issuer      string
	Audiences   []string
}

// Keys lists the keys of the ring, the oldest first, and then the retired keys.
func (r *Ring) Keys() []KeyInfo {
	s := r.snapshot()
	now := s.now()
	signer, _ := s.signer(now) // nil if no key can sign
	keys := make([]KeyInfo, 0, len(s.order))
	for _, k := range s.order {
		p := k.Profile()
		info := KeyInfo{
			ID: k.ID(), Alg: k.Alg(), State: KeyVerifying, Given: k.record.Given,
			CreatedAt: k.record.CreatedAt, SignsFrom: k.record.SignsFrom,
			RetiredAt: k.record.RetiredAt, VerifyUntil: k.until,
			Issuer: p.Issuer, Audiences: slices.Clone(p.Audiences),
		}
		if k.record.SignsFrom.After(now) {
			info.State = KeyNext
		}
		if k == signer {
			info.State = KeySigning
		}
		keys = append(keys, info)
	}
	for _, info := range s.retired {
		if now.Before(info.VerifyUntil) {
			info.Audiences = slices.Clone(info.Audiences)
			keys = append(keys, info)
		}
	}
	return keys
}

// Rotate creates the next key before it is due and returns its ID. The key starts to sign once
// it has been published for twice [JWKSMaxAge]. With immediate it starts at once, and clients
// that cached the key set refuse its tokens until they fetch the set again. If a next key
// already exists, Rotate creates no other key, and made is false. [ErrKeyGiven] if the key
// comes from the configuration.
func (r *Ring) Rotate(ctx context.Context, immediate bool) (next auth.KeyID, made bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	err = r.update(ctx, r.cfg, func(s *state) error {
		now := r.cfg.Now()
		waiting := s.next(now)
		record, err := s.rotate(r.cfg, immediate, now)
		if err != nil {
			return err
		}
		next, made = record.ID, waiting == nil
		return nil
	})
	if err != nil {
		return "", false, err
	}
	return next, made, nil
}

// Retire removes a key at once: this process refuses its tokens from now on, other
// replicas within a minute. The caller also revokes the key until the time that
// Retire returns, which reaches the replicas sooner. If the key signs, a new key
// replaces it at once. Retire remembers a configured key, and a configuration that
// still names it is refused with [ErrKeyRefused]: otherwise a leaked key would
// return with a restart. [ErrUnknownKey] if the key is not in the ring.
func (r *Ring) Retire(ctx context.Context, id auth.KeyID) (until time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	err = r.update(ctx, r.cfg, func(s *state) error {
		until, err = s.retire(id, r.cfg.Now())
		return err
	})
	return until, err
}
