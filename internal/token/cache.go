package token

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

const (
	// DefaultCacheBytes is how much memory the cache of verified tokens may use: enough
	// for some 60,000 tokens.
	DefaultCacheBytes = 64 << 20 // 64 MiB
	// MinCacheBytes is the smallest cache.
	MinCacheBytes = 1 << 20 // 1 MiB

	// usualEntryBytes is the cost of a WeChat user's token. The number of counters depends
	// on it.
	usualEntryBytes = 1024
	// countersPerEntry and getBuffer are the values that ristretto's authors recommend. A
	// counter has 4 bits.
	countersPerEntry = 10
	getBuffer        = 64
	// minCacheLife is the shortest remaining lifetime of a token that is cached. It
	// also keeps the lifetime from being rounded to zero, which ristretto takes as
	// unlimited.
	minCacheLife = time.Second
)

// cache keeps verified tokens. ristretto finds an entry by a 64-bit hash, so the entry
// has the whole token, and get compares it: tokens with equal hashes never share an
// entry. Otherwise a client that finds such a token would get another user's identity.
type cache struct {
	// seed is random, so that no client can compute hashes: tokens with equal hashes
	// would replace each other.
	seed maphash.Seed

	mu     sync.RWMutex // ristretto must not be used while or after it is closed
	closed bool
	inner  *ristretto.Cache[uint64, *cacheEntry]
}

// cacheEntry is one verified token. It never changes.
type cacheEntry struct {
	raw string
	verified
}

// newCache returns a cache. hash is [cacheHash]; a test makes all tokens collide.
func newCache(bytes int64, hash func(key uint64) (uint64, uint64)) (*cache, error) {
	inner, err := ristretto.NewCache(&ristretto.Config[uint64, *cacheEntry]{
		NumCounters:        bytes / usualEntryBytes * countersPerEntry,
		MaxCost:            bytes,
		BufferItems:        getBuffer,
		KeyToHash:          hash,
		IgnoreInternalCost: true, // cost counts it
	})
	if err != nil {
		return nil, fmt.Errorf("creating the token cache: %w", err)
	}
	return &cache{seed: maphash.MakeSeed(), inner: inner}, nil
}

// cacheHash returns the hash by which ristretto finds an entry. [cache.get] distinguishes
// tokens with the same hash, so the second hash is 0: ristretto need not compare anything.
func cacheHash(key uint64) (hash, conflict uint64) { return key, 0 }

// key returns the hash of a token.
func (c *cache) key(raw string) uint64 { return maphash.String(c.seed, raw) }

// get returns the verified token, or nil if the cache does not have it. The time of the
// comparison reveals nothing about other tokens: only a token with the same hash is compared,
// and a client cannot know which token has it.
func (c *cache) get(key uint64, raw string) *verified {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return nil
	}
	e, ok := c.inner.Get(key)
	if !ok || e.raw != raw {
		return nil
	}
	return &e.verified
}

// put keeps a token that was verified at now, until it expires.
func (c *cache) put(key uint64, raw string, v *verified, now time.Time) {
	life := v.identity.Expires.Sub(now)
	if life < minCacheLife {
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.closed {
		e := &cacheEntry{strings.Clone(raw), *v} // a substring would keep the whole request in memory
		c.inner.SetWithTTL(key, e, e.cost(), life)
	}
}

// entryBytes is the size of an entry without its strings: the entry, the identity, and its
// places in ristretto's maps.
const entryBytes = 480

// cost returns how much memory an entry takes.
func (e *cacheEntry) cost() int64 {
	id := e.identity
	texts := len(e.raw) + len(e.issuer) + len(id.App) + len(id.OpenID) + len(id.UnionID) + len(id.Session) + len(id.Phone) + len(id.Pseudonym) + len(id.TokenID)
	for _, audience := range e.audiences {
		texts += len(audience)
	}
	return int64(entryBytes + texts)
}

// close stops the cache's goroutines.
func (c *cache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.inner.Close()
	}
}
