package token

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/wxgate/wxgate/internal/token/keyring"
)

const (
	// DefaultCacheEntries is how many verified tokens the cache keeps. An entry has
	// 0.5 to 1 KiB: at most 64 MiB, with that many users at once.
	DefaultCacheEntries = 1 << 16
	// countersPerEntry and getBuffer are what ristretto's authors recommend. A counter
	// has 4 bits.
	countersPerEntry = 10
	getBuffer        = 64
	// minCacheLife is the shortest remaining lifetime of a token that is cached. It
	// also keeps the lifetime from being rounded to zero, which ristretto takes as
	// unlimited.
	minCacheLife = time.Second
)

// tokenDigest is a keyed hash of a token. Only this process can compute
// digests, so that no client can search for two tokens with the same digest.
type tokenDigest [sha256.Size]byte

// cache keeps verified tokens. ristretto finds an entry by two 64-bit hashes, so the
// entry has the whole digest of its token, and get compares it: tokens with equal
// hashes never share an entry. Otherwise a client that finds such a token would get
// another user's identity.
type cache struct {
	secret [sha256.Size]byte

	mu     sync.RWMutex // ristretto must not be used while or after it is closed
	closed bool
	inner  *ristretto.Cache[uint64, *cacheEntry]
}

// cacheEntry is one verified token. It never changes.
type cacheEntry struct {
	digest tokenDigest
	*verified
}

// newCache makes a cache. hash is [cacheHash]; a test makes all tokens collide.
func newCache(entries int, hash func(key uint64) (uint64, uint64)) (*cache, error) {
	inner, err := ristretto.NewCache(&ristretto.Config[uint64, *cacheEntry]{
		NumCounters:        int64(entries) * countersPerEntry,
		MaxCost:            int64(entries),
		BufferItems:        getBuffer,
		KeyToHash:          hash,
		IgnoreInternalCost: true, // every entry has a cost of one
	})
	if err != nil {
		return nil, fmt.Errorf("creating the token cache: %w", err)
	}
	c := &cache{inner: inner}
	_, _ = rand.Read(c.secret[:]) // never fails: crypto/rand.Read
	return c, nil
}

// cacheHash returns the hash by which ristretto finds an entry: the key is part of a
// digest. Two tokens with one key are told apart by [cache.get], so ristretto compares
// nothing, which is what the second hash, 0, says.
func cacheHash(key uint64) (hash, conflict uint64) { return key, 0 }

// key is the part of a digest under which it is in the cache.
func (d *tokenDigest) key() uint64 { return binary.LittleEndian.Uint64(d[:]) }

// digest returns the digest of a token. The buffer is on the stack; it has room for
// the secret and a token that we issue.
func (c *cache) digest(raw string) tokenDigest {
	const size = sha256.Size + keyring.MaxTokenBytes
	var buffer [size]byte
	text := append(buffer[:0], c.secret[:]...)
	return sha256.Sum256(append(text, raw...))
}

// get returns what was verified of the token with this digest; nil if the cache does
// not have it.
func (c *cache) get(d *tokenDigest) *verified {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return nil
	}
	e, ok := c.inner.Get(d.key())
	if !ok || subtle.ConstantTimeCompare(e.digest[:], d[:]) != 1 {
		return nil
	}
	return e.verified
}

// put keeps a token that was verified at now, until it expires.
func (c *cache) put(d *tokenDigest, v *verified, now time.Time) {
	life := v.identity.Expires.Sub(now)
	if life < minCacheLife {
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.closed {
		c.inner.SetWithTTL(d.key(), &cacheEntry{digest: *d, verified: v}, 1, life)
	}
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
