package keyring_test

import (
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

// TestToAndFro: a configuration that changes every minute does not fill the ring and logs
// no user out.
func TestToAndFro(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	first := g.mustIssue(t, g.user(time.Hour))
	for i := range 50 {
		g.reconfigure(t, func(c *keyring.Config) {
			c.Alg = []signing.Alg{signing.EdDSA, signing.ES256}[i%2]
			c.Issuer = []string{"wxgate", "other", "third"}[i%3]
		})
		g.mustVerify(t, g.mustIssue(t, g.user(time.Hour)))
		g.mustVerify(t, first)
		g.clock.add(time.Minute)
	}
	if k := g.ring.Keys(); len(k) != 2 {
		t.Errorf("%d keys", len(k))
	}
}

// TestRollout replaces a configured key on one replica after the other. Until the second
// is reconfigured, it signs with the old key, and the first accepts its tokens.
func TestRollout(t *testing.T) {
	t.Parallel()
	a := newGateway(t, func(c *keyring.Config) { c.Key = givenKey(t, 1) })
	cfg := a.cfg
	cfg.Key = givenKey(t, 2)
	ring, err := keyring.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &gateway{Tokens: newTokens(t, ring, cfg), ring: ring, cfg: cfg, clock: a.clock, storage: a.storage}
	var last string
	for range 3 * 60 {
		a.mustTick(t)
		b.mustTick(t)
		b.mustVerify(t, a.mustIssue(t, a.user(time.Hour)))
		last = b.mustIssue(t, b.user(time.Hour))
		a.mustVerify(t, last)
		a.clock.add(time.Minute)
	}
	last = a.mustIssue(t, a.user(time.Hour))
	a.reconfigure(t, func(c *keyring.Config) { c.Key = cfg.Key })
	a.clock.add(time.Hour - time.Second)
	b.mustTick(t)
	b.mustVerify(t, last)
	b.clock.add(time.Hour)
	b.mustTick(t)
	if k := b.ring.Keys(); len(k) != 1 {
		t.Errorf("%d keys are left", len(k))
	}
}

// TestThereAndBack: if an issuer returns with a shorter lifetime, its earlier tokens with
// a longer one stay valid.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *keyring.Config) { c.Access = 2 * time.Hour })
	long := g.mustIssue(t, g.user(2*time.Hour))
	g.reconfigure(t, func(c *keyring.Config) { c.Issuer, c.Access = "other", time.Hour })
	g.reconfigure(t, func(c *keyring.Config) { c.Issuer = "wxgate" })
	g.clock.add(2*time.Hour - time.Second)
	g.mustTick(t)
	g.mustVerify(t, long)
}

// TestLongerLivesElsewhere: a replica whose tokens have a longer lifetime than in the
// configuration that was loaded last still issues them, once it has read the ring.
func TestLongerLivesElsewhere(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *keyring.Config) { c.Access = 2 * time.Hour })
	cfg := g.cfg
	cfg.Alg, cfg.Access = signing.ES256, time.Hour
	if _, err := keyring.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	g.mustTick(t)
	if id := g.mustVerify(t, g.mustIssue(t, g.user(2*time.Hour))); id.Expires.Sub(id.IssuedAt) != 2*time.Hour {
		t.Errorf("got %+v", id)
	}
}

// TestLongerLivesThroughRotations: the same if the key is rotated, by either replica.
func TestLongerLivesThroughRotations(t *testing.T) {
	t.Parallel()
	long := newGateway(t, func(c *keyring.Config) { c.Access, c.Rotate = 2*time.Hour, 30*time.Minute })
	cfg := long.cfg
	cfg.Access = time.Hour
	ring, err := keyring.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	short := &gateway{Tokens: newTokens(t, ring, cfg), ring: ring, cfg: cfg, clock: long.clock, storage: long.storage}
	signed := map[auth.KeyID]bool{}
	for minute := range 2 * 60 {
		ticks := []*gateway{short, long}
		if minute >= 60 {
			slices.Reverse(ticks)
		}
		for _, g := range ticks {
			g.mustTick(t)
		}
		signed[short.mustVerify(t, long.mustIssue(t, long.user(2*time.Hour))).Key] = true
		long.mustVerify(t, short.mustIssue(t, short.user(time.Hour)))
		long.clock.add(time.Minute)
	}
	if len(signed) != 4 { // 2 hours by half an hour
		t.Errorf("%d keys signed", len(signed))
	}
}
