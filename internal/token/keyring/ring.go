package keyring

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// Ring is the set of signing keys. All issuers and verifiers of a store share one
// ring, and a changed configuration keeps it: see [Ring.Reconfigure]. It is safe for
// concurrent use. Requests read it without a lock.
type Ring struct {
	current atomic.Pointer[snapshot]
	unknown chan struct{} // a token named a key that is not in the snapshot
	changed chan struct{} // another replica retired a key

	mu   sync.Mutex // one writer at a time; guards the fields below
	cfg  *Config
	blob []byte // the stored ring of the snapshot
}

// Open loads the stored keys, creates the first key if there is none, and applies the
// configuration to the keys. Errors wrap [ErrConfig], an error of package signing,
// [ErrOtherSecret], [ErrUnreadable], [ErrKeyRefused] or auth.ErrStoreUnavailable.
func Open(ctx context.Context, cfg Config) (*Ring, error) {
	r := &Ring{unknown: make(chan struct{}, 1), changed: make(chan struct{}, 1)}
	if err := r.Reconfigure(ctx, cfg); err != nil {
		return nil, err
	}
	return r, nil
}

// Reconfigure applies another configuration to the ring. Tokens of a replaced key, issuer or
// audience stay valid until the last of them expires. If replicas have different
// configurations, the ring has the one that was loaded last. After an error the ring is
// unchanged.
func (r *Ring) Reconfigure(ctx context.Context, config Config) error {
	cfg, err := config.complete()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.update(ctx, cfg, func(s *state) error {
		now := cfg.Now()
		if err := s.reconcile(cfg, now); err != nil {
			return err
		}
		return s.maintain(cfg, now)
	})
}

// Tick reads the stored keys, which another replica may have changed. Then it creates the next
// key if it is due, and drops keys whose last token has expired. It writes only if that
// changes something.
func (r *Ring) Tick(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	blob, err := r.load(ctx)
	if err != nil {
		return err
	}
	change := func(s *state) error { return s.maintain(r.cfg, r.cfg.Now()) }
	if blob == nil {
		return r.update(ctx, r.cfg, change)
	}
	s, sealed, err := amend(r.cfg.Box, blob, change)
	if err != nil {
		return err
	}
	if sealed != nil {
		return r.update(ctx, r.cfg, change)
	}
	return r.publish(r.cfg, s, blob)
}

// JWKS returns the public key set (RFC 7517) and its entity tag: every key that
// signs, signs next, or signed a token that is still valid; never an HS256 secret.
// The caller must not change it, and lets clients cache it for [JWKSMaxAge].
func (r *Ring) JWKS() (body []byte, etag string) {
	s := r.snapshot()
	return s.jwks, s.etag
}

// Signer returns the key that signs at now: the last key in the order of succession that has
// started to sign and whose private half this process has. [ErrNoSigner] if there is none.
func (r *Ring) Signer(now time.Time) (*Key, error) { return r.snapshot().signer(now) }

// Accepted returns the key with exactly this ID; nil if the ring does not have the key or its
// last token has expired. After an unknown ID, [Ring.Run] soon reads the stored keys: another
// replica may just have created the key.
func (r *Ring) Accepted(id string, now time.Time) *Key {
	k := r.snapshot().accepted(id, now)
	if k == nil {
		notify(r.unknown)
	}
	return k
}

// snapshot returns the current ring.
func (r *Ring) snapshot() *snapshot { return r.current.Load() }

// load reads the stored ring; nil if the storage has lost it.
func (r *Ring) load(ctx context.Context) ([]byte, error) {
	blob, err := r.cfg.Storage.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: loading the signing keys: %w", auth.ErrStoreUnavailable, err)
	}
	return blob, nil
}

// update changes the stored ring and publishes the result. If no ring is stored, it
// starts with the result of [Ring.restored].
func (r *Ring) update(ctx context.Context, cfg *Config, change func(*state) error) error {
	var s *state
	var blob []byte
	var refused error // an error of the ring and not of the storage
	err := cfg.Storage.Update(ctx, func(old []byte) ([]byte, error) {
		var sealed []byte
		lost := false
		if old == nil {
			if old, refused = r.restored(ctx, cfg); refused != nil {
				return nil, refused
			}
			lost = old != nil
		}
		s, sealed, refused = amend(cfg.Box, old, change)
		if blob = sealed; sealed == nil {
			blob = old
		}
		if lost && refused == nil {
			return blob, nil
		}
		return sealed, refused
	})
	if refused != nil {
		return refused
	}
	if err != nil {
		return fmt.Errorf("%w: writing the signing keys: %w", auth.ErrStoreUnavailable, err)
	}
	if len(s.made)+len(s.gone) > 0 {
		cfg.Changed(s.made, s.gone)
	}
	return r.publish(cfg, s, blob)
}

// restored returns the ring for a storage that has none. If the storage lost its ring, as a
// Redis without persistence does, that is the ring that this replica read last. Otherwise the
// next replica to start would create different keys, and replicas would refuse each other's
// tokens. If there never was a ring, restored returns the inherited ring, if it is readable.
func (r *Ring) restored(ctx context.Context, cfg *Config) ([]byte, error) {
	if r.blob != nil || cfg.Inherit == nil {
		return r.blob, nil
	}
	inherited, err := cfg.Inherit(ctx)
	if err != nil || inherited == nil {
		return nil, err
	}
	if _, err := parseState(cfg.Box, inherited); err != nil {
		cfg.Report(fmt.Errorf("keys of another storage are not taken over: %w", err))
		return nil, nil
	}
	return inherited, nil
}

// publish makes a stored ring available to requests.
func (r *Ring) publish(cfg *Config, s *state, blob []byte) error {
	if r.cfg == cfg && bytes.Equal(blob, r.blob) {
		return nil
	}
	snap, err := newSnapshot(s, cfg, r.current.Load())
	if err != nil {
		return err
	}
	r.cfg, r.blob = cfg, bytes.Clone(blob)
	r.current.Store(snap)
	return nil
}
