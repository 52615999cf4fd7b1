package token

import (
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token/keyring"
)

// Config is the configuration of [Tokens]. Ring and Box are required.
type Config struct {
	Ring *keyring.Ring
	Box  *seal.Box
	// CacheBytes is how much memory the cache of verified tokens may use, at least
	// [MinCacheBytes]; default [DefaultCacheBytes].
	CacheBytes int64
	Now        func() time.Time // default time.Now
}

// Tokens issues and verifies tokens with the keys of a ring. Several Tokens may share
// one ring. It is safe for concurrent use. After [Tokens.Close] it still works, but
// without its cache.
type Tokens struct {
	ring  *keyring.Ring
	box   *seal.Box
	cache *cache
	now   func() time.Time
}

// New returns Tokens over a ring. If the root secret changes, create new Tokens over the same
// ring: the cache of the old Tokens has phone numbers that were decrypted with the old secret.
func New(cfg Config) (*Tokens, error) {
	if cfg.Ring == nil || cfg.Box == nil || cfg.CacheBytes != 0 && cfg.CacheBytes < MinCacheBytes {
		return nil, fmt.Errorf("%w: tokens need a ring, a root secret and a cache of 1 MiB or more", keyring.ErrConfig)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = DefaultCacheBytes
	}
	c, err := newCache(cfg.CacheBytes, cacheHash)
	if err != nil {
		return nil, err
	}
	return &Tokens{ring: cfg.Ring, box: cfg.Box, cache: c, now: cfg.Now}, nil
}

// Close stops the cache's goroutines. It may be called more than once.
func (t *Tokens) Close() { t.cache.close() }

// Interface guards
var _ auth.Tokens = (*Tokens)(nil)
