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

// Ring is the set of signing keys. It is shared by all that issues and verifies
// with them, and outlives a changed configuration: see [Ring.Reconfigure].
// It is safe for concurrent use. Requests read it without a lock.
type Ring struct {
	current atomic.Pointer[snapshot]
	unknown chan struct{} // a token named a key that the snapshot does not hold
	changed chan struct{} // another replica took a key out

	mu   sync.Mutex // one writer at a time; guards all below
	cfg  *Config
	blob []byte // what the snapshot was made from, sealed
}

// Open loads the stored keys, makes them follow the configuration, and makes
// the first key where there is none. Besides [ErrConfig] and what is wrong with
// a key, errors wrap [ErrOtherSecret], [ErrUnreadable], [ErrKeyRefused] or
// auth.ErrStoreUnavailable.
func Open(ctx context.Context, cfg Config) (*Ring, error) {
	r := &Ring{unknown: make(chan struct{}, 1), changed: make(chan struct{}, 1)}
	if err := r.Reconfigure(ctx, cfg); err != nil {
		return nil, err
	}
	return r, nil
}

// Reconfigure has the ring follow another configuration. A key, issuer or
// audience that it replaces keeps verifying its own tokens until the last of
// them has ended. Where replicas differ, all follow the configuration that was
// loaded last. After an error the ring is as it was.
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

// Tick reads the keys again, which another replica may have changed, and does what
// time asks for: it makes the next key when it is due and forgets those whose last
// token has ended. It writes only when that changes something.
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

// JWKS is the public key set (RFC 7517) and its entity tag: every key that signs,
// will sign next, or signed a token that still lives; never an signing.HS256 secret.
// The caller does not change it, and lets it be cached for [JWKSMaxAge].
func (r *Ring) JWKS() (body []byte, etag string) {
	s := r.snapshot()
	return s.jwks, s.etag
}

// Signer returns the key that signs at now: the last one in the order of succession
// that has started to sign and whose private half this process has. [ErrNoSigner]
// if there is none.
func (r *Ring) Signer(now time.Time) (*Key, error) { return r.snapshot().signer(now) }

// Accepted returns the key with that exact ID; nil if the ring does not have it or
// its last token has expired. After an unknown ID, [Ring.Run] soon reads the stored
// keys: another replica may have made the key a moment ago.
func (r *Ring) Accepted(id string, now time.Time) *Key {
	k := r.snapshot().accepted(id, now)
	if k == nil {
		r.hint()
	}
	return k
}

// snapshot is the ring of this moment.
func (r *Ring) snapshot() *snapshot { return r.current.Load() }

// hint tells Run that a token named an unknown key; it never waits.
func (r *Ring) hint() {
	select {
	case r.unknown <- struct{}{}:
	default:
	}
}

// load reads the stored ring; nil when the storage has lost it.
func (r *Ring) load(ctx context.Context) ([]byte, error) {
	blob, err := r.cfg.Storage.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: loading the signing keys: %w", auth.ErrStoreUnavailable, err)
	}
	return blob, nil
}

// update changes the stored ring and publishes what came of it. Where there is
// none, it begins with what [Ring.restored] finds.
func (r *Ring) update(ctx context.Context, cfg *Config, change func(*state) error) error {
	var s *state
	var blob []byte
	var refused error // by us, as opposed to the storage's own failures
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
	return r.publish(cfg, s, blob)
}

// restored is what a storage without a ring begins with. A ring that the storage
// has lost, as a Redis without a disk does, is put back as it was last read: the
// next replica to start would make keys of its own, and no two of them would take
// each other's tokens. One that never was there is inherited, if that can be read.
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

// publish makes a stored ring the one that requests see.
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
