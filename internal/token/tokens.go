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
	// CacheEntries is how many verified tokens the cache keeps; default
	// [DefaultCacheEntries].
	CacheEntries int
	Now          func() time.Time // default time.Now
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

// New makes Tokens over a ring. If the root secret changes, make new Tokens over the
// same ring: the cache of the old ones has phone numbers that the old secret opened.
func New(cfg Config) (*Tokens, error) {
	if cfg.Ring == nil || cfg.Box == nil || cfg.CacheEntries < 0 {
		return nil, fmt.Errorf("%w: tokens need a ring, a root secret and a number of cache entries of 0 or more", keyring.ErrConfig)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.CacheEntries == 0 {
		cfg.CacheEntries = DefaultCacheEntries
	}
	c, err := newCache(cfg.CacheEntries, cacheHash)
	if err != nil {
		return nil, err
	}
	return &Tokens{ring: cfg.Ring, box: cfg.Box, cache: c, now: cfg.Now}, nil
}

// Close stops the cache's goroutines. It may be called more than once.
func (t *Tokens) Close() { t.cache.close() }

// Interface guards
var _ auth.Tokens = (*Tokens)(nil)
