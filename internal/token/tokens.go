package token

import (
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token/keyring"
)

// Config is what [Tokens] are made of. Ring and Box are required.
type Config struct {
	Ring *keyring.Ring
	Box  *seal.Box
	// CacheEntries is how many verified tokens are remembered; default
	// [DefaultCacheEntries].
	CacheEntries int
	Now          func() time.Time // default time.Now
}

// Tokens issues and verifies over a ring. Any number of them may share one ring.
// It is safe for concurrent use until [Tokens.Close]; after that it still works,
// without its cache.
type Tokens struct {
	ring  *keyring.Ring
	box   *seal.Box
	cache *cache
	now   func() time.Time
}

// New makes tokens over an open ring. When the root secret changes, make new
// ones over the same ring: what the old ones cached was opened with the old.
func New(cfg Config) (*Tokens, error) {
	if cfg.Ring == nil || cfg.Box == nil || cfg.CacheEntries < 0 {
		return nil, fmt.Errorf("%w: tokens need a ring, a root secret and room for a cache", keyring.ErrConfig)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.CacheEntries == 0 {
		cfg.CacheEntries = DefaultCacheEntries
	}
	c, err := newCache(cfg.CacheEntries, halves)
	if err != nil {
		return nil, err
	}
	return &Tokens{ring: cfg.Ring, box: cfg.Box, cache: c, now: cfg.Now}, nil
}

// Close ends the cache's goroutines. It may be called more than once.
func (t *Tokens) Close() { t.cache.close() }

// Interface guards
var _ auth.Tokens = (*Tokens)(nil)
