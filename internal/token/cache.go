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
	// DefaultCacheEntries is how many verified tokens are remembered. An entry
	// takes 0.5 to 1 KiB: at most 64 MiB, which only that many users at once fill.
	DefaultCacheEntries = 1 << 16
	// countersPerEntry is what ristretto's authors advise, 3 bytes each.
	countersPerEntry = 10
	// getBuffer is what they advise too.
	getBuffer = 64
	// minCacheLife is the least life worth remembering. It also keeps a life from
	// being rounded to zero, which to ristretto means for ever.
	minCacheLife = time.Second
)

// proof is a keyed digest of a token. Nobody outside the process can make two
// tokens with one, nor a token with the proof of another.
type proof [sha256.Size]byte

// cache remembers verified tokens. ristretto keeps two hashes of a key and never
// the key itself, so an entry holds its token's whole proof and is believed only
// when that is equal: two tokens never share an entry, whatever their hashes.
type cache struct {
	secret [sha256.Size]byte

	mu     sync.RWMutex // closing against use: ristretto's own channels cannot bear both
	closed bool
	inner  *ristretto.Cache[[]byte, *entryOf]
}

// entryOf is one verified token. It never changes.
type entryOf struct {
	proof proof
	*verified
}

// newCache takes the hash as an argument for the test that makes all collide.
func newCache(entries int, hash func(proof []byte) (uint64, uint64)) (*cache, error) {
	inner, err := ristretto.NewCache(&ristretto.Config[[]byte, *entryOf]{
		NumCounters:        int64(entries) * countersPerEntry,
		MaxCost:            int64(entries),
		BufferItems:        getBuffer,
		KeyToHash:          hash,
		IgnoreInternalCost: true, // an entry counts as one
	})
	if err != nil {
		return nil, fmt.Errorf("creating the token cache: %w", err)
	}
	c := &cache{inner: inner}
	_, _ = rand.Read(c.secret[:]) // never fails: crypto/rand.Read
	return c, nil
}

// halves are the two hashes that ristretto knows an entry by. The second is
// never zero, which would switch its comparison off.
func halves(proof []byte) (key, conflict uint64) {
	return binary.LittleEndian.Uint64(proof), binary.LittleEndian.Uint64(proof[8:]) | 1
}

// usualBuffer holds the secret and a token that we issue, on the stack.
const usualBuffer = sha256.Size + keyring.MaxTokenBytes

// digest is the proof of a token.
func (c *cache) digest(raw string) proof {
	var usual [usualBuffer]byte
	text := append(usual[:0], c.secret[:]...)
	return sha256.Sum256(append(text, raw...))
}

// get finds what was verified of the token with this proof; nil for none.
func (c *cache) get(p *proof) *verified {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return nil
	}
	e, ok := c.inner.Get(p[:])
	if !ok || subtle.ConstantTimeCompare(e.proof[:], p[:]) != 1 {
		return nil
	}
	return e.verified
}

// put remembers a token that was verified at now, until it ends.
func (c *cache) put(p *proof, v *verified, now time.Time) {
	life := v.identity.Expires.Sub(now)
	if life < minCacheLife {
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.closed {
		c.inner.SetWithTTL(p[:], &entryOf{proof: *p, verified: v}, 1, life)
	}
}

// close ends the cache's goroutines.
func (c *cache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.inner.Close()
	}
}
