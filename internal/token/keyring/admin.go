package keyring

import (
	"context"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/signing"
)

// KeyState is where a key stands in its life.
type KeyState string

// The states of a key, in the order it goes through them.
const (
	KeyNext      KeyState = "next"      // published, does not sign yet
	KeySigning   KeyState = "signing"   // signs new tokens
	KeyVerifying KeyState = "verifying" // replaced; verifies until its last token ends
	KeyRetired   KeyState = "retired"   // refused; listed until its last token would have ended
)

// KeyInfo is a key as an operator sees it, without its private half.
type KeyInfo struct {
	ID          auth.KeyID
	Alg         signing.Alg
	State       KeyState
	Given       bool // from the configuration
	CreatedAt   time.Time
	SignsFrom   time.Time
	RetiredAt   time.Time // when its successor signs from; zero without one
	VerifyUntil time.Time // zero without a successor
	Issuer      string
	Audiences   []string
}

// Keys lists the ring, the oldest first, and after it the retired keys.
func (r *Ring) Keys() []KeyInfo {
	s := r.snapshot()
	now := s.now()
	signer, err := s.signer(now)
	keys := make([]KeyInfo, 0, len(s.order))
	for _, e := range s.order {
		p := e.Profile()
		info := KeyInfo{
			ID: e.ID(), Alg: e.Alg(), State: KeyVerifying, Given: e.record.Given,
			CreatedAt: e.record.CreatedAt, SignsFrom: e.record.SignsFrom,
			RetiredAt: e.record.RetiredAt, VerifyUntil: e.until,
			Issuer: p.Issuer, Audiences: slices.Clone(p.Audiences),
		}
		switch {
		case err == nil && e == signer:
			info.State = KeySigning
		case e.record.SignsFrom.After(now):
			info.State = KeyNext
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

// Rotate makes the next key before its time and returns its ID. It signs once it
// has been published for twice [JWKSMaxAge]; immediate has it sign at once, and
// whoever cached the key set refuses its tokens until then. A key that waits
// already is not followed by another: made is then false. [ErrKeyGiven] when the
// configuration names the key.
func (r *Ring) Rotate(ctx context.Context, immediate bool) (next auth.KeyID, made bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	err = r.update(ctx, r.cfg, func(s *state) error {
		now := r.cfg.Now()
		made = s.next(now) == nil
		record, err := s.rotate(r.cfg, immediate, now)
		if err == nil {
			next = record.ID
		}
		return err
	})
	return next, made && err == nil, err
}

// Retire takes a key out at once: its tokens are refused here from now on, on
// other replicas within a minute. The caller also revokes the key until the time
// that is returned, which reaches them sooner. A key that signs is followed by a
// new one at once. A configured key is remembered, and a configuration that
// still names it is refused with [ErrKeyRefused]: a leaked key must not return
// with a restart. [ErrUnknownKey] when the ring does not hold the key.
func (r *Ring) Retire(ctx context.Context, id auth.KeyID) (until time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	err = r.update(ctx, r.cfg, func(s *state) error {
		until, err = s.retire(id, r.cfg.Now())
		return err
	})
	return until, err
}
