package token

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

// memory is a [keyring.Storage] for the tests of internals.
type memory struct{ blob []byte }

func (m *memory) Load(context.Context) ([]byte, error) { return m.blob, nil }
func (m *memory) Update(_ context.Context, change func([]byte) ([]byte, error)) error {
	blob, err := change(m.blob)
	if err == nil && blob != nil {
		m.blob = blob
	}
	return err
}

// newServing returns tokens over a new ring, with the given hash.
func newServing(tb testing.TB, alg signing.Alg, now func() time.Time, hash func(uint64) (uint64, uint64)) *Tokens {
	tb.Helper()
	c, err := newCache(MinCacheBytes, hash)
	if err != nil {
		tb.Fatal(err)
	}
	cfg := keyring.Config{Alg: alg, Issuer: "wxgate", Now: now}
	t := &Tokens{ring: newRing(tb, &cfg), box: cfg.Box, cache: c, now: now}
	tb.Cleanup(t.Close)
	return t
}

func newRing(tb testing.TB, cfg *keyring.Config) *keyring.Ring {
	tb.Helper()
	cfg.Storage, cfg.Box, cfg.Access = &memory{}, newBox(tb), time.Hour
	ring, err := keyring.Open(tb.Context(), *cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return ring
}

func newBox(tb testing.TB) *seal.Box {
	tb.Helper()
	box, err := seal.New(bytes.Repeat([]byte("s"), seal.MinSecretBytes))
	if err != nil {
		tb.Fatal(err)
	}
	return box
}

func user(openid auth.OpenID, now time.Time, life time.Duration) auth.Identity {
	u := auth.User{App: "wx4f4bc4dec97d474b", OpenID: openid}
	return auth.Identity{
		User: u, Session: auth.NewSessionID(now, u),
		IssuedAt: now, Expires: now.Add(life),
	}
}

func mustIssue(tb testing.TB, t *Tokens, id auth.Identity) string {
	tb.Helper()
	raw, err := t.Issue(id)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// TestCollision gives all tokens the same hash, like an attacker who can compute ristretto's
// hashes. Each token still gets its own identity, and a forgery gets none. A cache that trusts
// hashes returns another user's identity.
func TestCollision(t *testing.T) {
	t.Parallel()
	for name, hash := range map[string]func(uint64) (uint64, uint64){
		"both hashes":     func(uint64) (uint64, uint64) { return 7, 7 },
		"first hash only": func(key uint64) (uint64, uint64) { return 7, key },
		"no comparison":   func(uint64) (uint64, uint64) { return 7, 0 }, // as in production
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tokens := newServing(t, signing.EdDSA, time.Now, hash)
			victim := mustIssue(t, tokens, user("victim", time.Now(), time.Hour))
			other := mustIssue(t, tokens, user("other", time.Now(), time.Hour))
			for range 3 {
				for raw, want := range map[string]auth.OpenID{victim: "victim", other: "other"} {
					id, err := tokens.Verify(raw)
					if err != nil || id.OpenID != want {
						t.Fatalf("got %v, %v, want %s", id, err, want)
					}
					tokens.cache.inner.Wait()
					if id, err := tokens.Verify(raw[:len(raw)-8] + "AAAAAAAA"); !errors.Is(err, errForm) && !errors.Is(err, errSignature) {
						t.Fatalf("a forgery got %v, %v", id, err)
					}
				}
			}
		})
	}
}

// TestKeyIsRandom: a client cannot compute the place of a token in the cache.
func TestKeyIsRandom(t *testing.T) {
	t.Parallel()
	a, b := newServing(t, signing.HS256, time.Now, cacheHash), newServing(t, signing.HS256, time.Now, cacheHash)
	if a.cache.key("x") == b.cache.key("x") {
		t.Error("the key does not depend on the cache's seed")
	}
	if a.cache.key("x") == a.cache.key("y") {
		t.Error("the key does not depend on the token")
	}
}

// TestHitRechecks: a cached token is checked again at every use.
func TestHitRechecks(t *testing.T) {
	t.Parallel()
	now := time.Now()
	clock := func() time.Time { return now }
	key, err := signing.Generate(signing.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	tokens := newServing(t, signing.EdDSA, clock, cacheHash)
	tokens.ring = newRing(t, &keyring.Config{Issuer: "wxgate", Key: key, Now: clock})
	raw := mustIssue(t, tokens, user("u", now, time.Hour))
	if _, err := tokens.Verify(raw); err != nil {
		t.Fatal(err)
	}
	tokens.cache.inner.Wait()
	hit := tokens.cache.get(tokens.cache.key(raw), raw)
	if hit == nil {
		t.Fatal("not cached")
	}
	otherKey := newRing(t, &keyring.Config{Issuer: "wxgate", Now: clock})
	otherIssuer := newRing(t, &keyring.Config{Issuer: "other", Audiences: []string{"wxgate"}, Key: key, Now: clock})
	for name, row := range map[string]struct {
		ring *keyring.Ring
		at   time.Time
		want bool
	}{
		"unchanged":          {tokens.ring, now, true},
		"when it expires":    {tokens.ring, hit.identity.Expires, false},
		"clock is behind":    {tokens.ring, time.Unix(now.Unix(), 0).Add(-keyring.MaxSkew), true},
		"clock was set back": {tokens.ring, now.Add(-time.Minute), false},
		"without its key":    {otherKey, now, false},
		"without its issuer": {otherIssuer, now, false},
	} {
		if got := hit.valid(row.ring, row.at); got != row.want {
			t.Errorf("%s: valid is %v, want %v", name, got, row.want)
		}
	}
	now = now.Add(time.Hour)
	if _, err := tokens.Verify(raw); !errors.Is(err, auth.ErrTokenExpired) {
		t.Errorf("got %v, want ErrTokenExpired", err)
	}
}

// TestShortLivesAreNotCached: ristretto treats a lifetime of zero as unlimited.
func TestShortLivesAreNotCached(t *testing.T) {
	t.Parallel()
	now := time.Unix(time.Now().Unix(), 0)
	tokens := newServing(t, signing.HS256, func() time.Time { return now }, cacheHash)
	raw := mustIssue(t, tokens, user("u", now, 10*time.Second))
	for _, left := range []time.Duration{minCacheLife, minCacheLife - 1, time.Millisecond, 1} {
		fresh, err := newCache(MinCacheBytes, cacheHash)
		if err != nil {
			t.Fatal(err)
		}
		one := &Tokens{ring: tokens.ring, box: tokens.box, cache: fresh, now: func() time.Time { return now.Add(10*time.Second - left) }}
		if _, err := one.Verify(raw); err != nil {
			t.Fatal(err)
		}
		fresh.inner.Wait()
		if cached := fresh.get(fresh.key(raw), raw) != nil; cached != (left >= minCacheLife) {
			t.Errorf("with %s left: cached is %v", left, cached)
		}
		one.Close()
	}
}

// TestCloseInUse closes the cache under load, as a reload does: there is no panic and no race,
// and requests that still use the old Tokens succeed.
func TestCloseInUse(t *testing.T) {
	t.Parallel()
	tokens := newServing(t, signing.HS256, time.Now, cacheHash)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				raw, err := tokens.Issue(user("u", time.Now(), time.Hour))
				if err == nil {
					_, err = tokens.Verify(raw)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	tokens.Close()
	wg.Wait()
	tokens.Close()
}
