package token

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

// TestCacheBytes fills caches with more tokens than they have room for: the heap grows by the
// configured size, for short and for long tokens. It is not parallel, because allocations of
// other tests would count.
func TestCacheBytes(t *testing.T) {
	const configured = 16 << 20
	tokens := newServing(t, signing.HS256, time.Now, cacheHash)
	for name, length := range map[string]int{"usual": 28, "long": 64} {
		c, err := newCache(configured, cacheHash)
		if err != nil {
			t.Fatal(err)
		}
		tokens.cache.close()
		tokens.cache = c
		before := heapBytes()
		for i := range 3 * configured / usualEntryBytes {
			id := user(auth.OpenID(fmt.Sprintf("%0*d", length, i)), time.Now(), time.Hour)
			if length == 64 {
				id.UnionID, id.Phone = auth.UnionID(id.OpenID), "+8613800000000"
			}
			if _, err := tokens.Verify(mustIssue(t, tokens, id)); err != nil {
				t.Fatal(err)
			}
			if i%1000 == 0 {
				c.inner.Wait() // otherwise entries are lost
			}
		}
		c.inner.Wait()
		took := heapBytes() - before
		t.Logf("%s: %d of %d bytes, %d entries", name, took, configured, entries(c))
		if took < configured*85/100 || took > configured*115/100 {
			t.Errorf("%s: the cache takes %d bytes, %d are configured", name, took, configured)
		}
	}
}

// heapBytes returns how many bytes of the heap are in use.
func heapBytes() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // the first run's finalizers may have kept objects
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func entries(c *cache) (n int) {
	c.inner.IterValues(func(*cacheEntry) bool { n++; return false })
	return n
}

// TestCacheKeepsAll uses the tokens of a busy site in turn: from the second use on, each of
// them is a cache hit.
func TestCacheKeepsAll(t *testing.T) {
	t.Parallel()
	const users = 10_000
	tokens, err := New(Config{Ring: newRing(t, &keyring.Config{Alg: signing.HS256, Issuer: "wxgate", Now: time.Now}), Box: newBox(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer tokens.Close()
	raws := make([]string, users)
	for i := range raws {
		raws[i] = mustIssue(t, tokens, user(auth.OpenID(fmt.Sprint("user", i)), time.Now(), time.Hour))
		if _, err := tokens.Verify(raws[i]); err != nil {
			t.Fatal(err)
		}
	}
	tokens.cache.inner.Wait()
	missed := 0
	for _, raw := range raws {
		if tokens.cache.get(tokens.cache.key(raw), raw) == nil {
			missed++
		}
	}
	if missed > 0 {
		t.Errorf("%d of %d tokens are not in the cache", missed, users)
	}
}
