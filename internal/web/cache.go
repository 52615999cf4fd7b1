package web

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// cacheLife is how long the identity of a cookie is used without reading the store. A
	// session that ends in this time is revoked, so that its cookie is refused at once.
	cacheLife = 5 * time.Minute
	// cacheBytes is how much memory the cache may use: enough for some 25,000 browsers. A
	// browser whose entry was evicted costs one read of the store.
	cacheBytes = 16 << 20 // 16 MiB
	// usualEntryBytes is the cost of a WeChat user's identity.
	usualEntryBytes = 640
	// countersPerEntry and getBuffer are the values that ristretto's authors recommend.
	countersPerEntry = 10
	getBuffer        = 64
	// minCacheLife is the shortest time for which an entry is kept. It also keeps the time
	// from being rounded to zero, which ristretto treats as unlimited.
	minCacheLife = time.Second
)

// digest identifies a cookie without revealing it.
type digest [sha256.Size]byte

// cache keeps the identities of cookies. ristretto finds an entry by a part of the digest; get
// compares the whole digest.
type cache struct {
	mu     sync.RWMutex // ristretto must not be used while or after it is closed
	closed bool
	inner  *ristretto.Cache[uint64, *cacheEntry]
}

// cacheEntry is the identity of one cookie. It never changes.
type cacheEntry struct {
	cookie digest
	id     *auth.Identity
}

func newCache() (*cache, error) {
	inner, err := ristretto.NewCache(&ristretto.Config[uint64, *cacheEntry]{
		NumCounters:        cacheBytes / usualEntryBytes * countersPerEntry,
		MaxCost:            cacheBytes,
		BufferItems:        getBuffer,
		KeyToHash:          func(key uint64) (hash, conflict uint64) { return key, 0 },
		IgnoreInternalCost: true, // usualEntryBytes counts it
	})
	if err != nil {
		return nil, fmt.Errorf("creating the cache of session cookies: %w", err)
	}
	return &cache{inner: inner}, nil
}

// digestOf returns the digest of a cookie. It does not allocate.
func digestOf(cookie string) digest {
	var text [cookieChars]byte
	if len(cookie) != cookieChars {
		return digest{} // not a cookie
	}
	copy(text[:], cookie)
	return sha256.Sum256(text[:])
}

func (d digest) key() uint64 { return binary.BigEndian.Uint64(d[:]) }

// get returns the identity of a cookie; nil if the cache does not have it.
func (c *cache) get(cookie digest) *auth.Identity {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return nil
	}
	e, ok := c.inner.Get(cookie.key())
	if !ok || e.cookie != cookie {
		return nil
	}
	return e.id
}

// put keeps the identity of a cookie that was read at now. It expires some time before the
// identity ends, so that the next read of the store can extend the identity.
func (c *cache) put(cookie digest, id *auth.Identity, now time.Time) {
	life := min(cacheLife, id.Expires.Sub(now)/2)
	if life < minCacheLife {
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.closed {
		c.inner.SetWithTTL(cookie.key(), &cacheEntry{cookie, id}, usualEntryBytes, life)
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
