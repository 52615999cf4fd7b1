package token_test

import (
	"errors"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	for name, cfg := range map[string]token.Config{
		"nothing":     {},
		"no ring":     {Box: g.Config.Box},
		"no box":      {Ring: g.Ring},
		"small cache": {Ring: g.Ring, Box: g.Config.Box, CacheBytes: token.MinCacheBytes - 1},
	} {
		if tokens, err := token.New(cfg); !errors.Is(err, keyring.ErrConfig) || tokens != nil {
			t.Errorf("%s: got %v, want ErrConfig", name, err)
		}
	}
}

// TestNewDefaults: with only a ring and a root secret, tokens are verified by the real clock
// and cached.
func TestNewDefaults(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *keyring.Config) { c.Now = time.Now })
	tokens, err := token.New(token.Config{Ring: g.Ring, Box: g.Config.Box})
	if err != nil {
		t.Fatal(err)
	}
	defer tokens.Close()
	id := g.User(time.Hour)
	id.IssuedAt, id.Expires = time.Now(), time.Now().Add(time.Minute)
	raw := g.MustIssue(t, id)
	if _, err := tokens.Verify(raw); err != nil {
		t.Fatal(err)
	}
	tokens.Flush()
	if !tokens.Cached(raw) {
		t.Error("not cached")
	}
}

// TestRetiredWhileCached: a cached token of a retired key is refused.
func TestRetiredWhileCached(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	raw := g.MustIssue(t, g.User(time.Hour))
	leaked := g.MustVerify(t, raw).Key
	g.Flush()
	if !g.Cached(raw) {
		t.Fatal("not cached: the test would prove nothing")
	}
	if _, err := g.Ring.Retire(t.Context(), leaked); err != nil {
		t.Fatal(err)
	}
	g.mustRefuse(t, raw, token.RuleNoKey)
}
