package keyring_test

import (
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
	"github.com/wxgate/wxgate/internal/token/tokentest"
)

// TestToAndFro: a configuration that changes every minute does not fill the ring and logs no
// user out.
func TestToAndFro(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	first := g.MustIssue(t, g.User(time.Hour))
	for i := range 50 {
		g.reconfigure(t, func(c *keyring.Config) {
			c.Alg = []signing.Alg{signing.EdDSA, signing.ES256}[i%2]
			c.Issuer = []string{"wxgate", "other", "third"}[i%3]
		})
		g.MustVerify(t, g.MustIssue(t, g.User(time.Hour)))
		g.MustVerify(t, first)
		g.Clock.Add(time.Minute)
	}
	if k := g.Ring.Keys(); len(k) != 2 {
		t.Errorf("%d keys", len(k))
	}
}

// TestRollout replaces a configured key on one replica after the other. Until the second replica
// is reconfigured, it signs with the old key, and the first replica accepts its tokens.
func TestRollout(t *testing.T) {
	t.Parallel()
	a := newGateway(t, func(c *keyring.Config) { c.Key = givenKey(t, 1) })
	cfg := a.Config
	cfg.Key = givenKey(t, 2)
	ring, err := keyring.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &gateway{&tokentest.Gateway{Tokens: tokentest.NewTokens(t, ring, cfg), Ring: ring, Config: cfg, Clock: a.Clock, Storage: a.Storage}}
	var last string
	for range 3 * 60 {
		a.mustTick(t)
		b.mustTick(t)
		b.MustVerify(t, a.MustIssue(t, a.User(time.Hour)))
		last = b.MustIssue(t, b.User(time.Hour))
		a.MustVerify(t, last)
		a.Clock.Add(time.Minute)
	}
	last = a.MustIssue(t, a.User(time.Hour))
	a.reconfigure(t, func(c *keyring.Config) { c.Key = cfg.Key })
	a.Clock.Add(time.Hour - time.Second)
	b.mustTick(t)
	b.MustVerify(t, last)
	b.Clock.Add(time.Hour)
	b.mustTick(t)
	if k := b.Ring.Keys(); len(k) != 1 {
		t.Errorf("%d keys are left", len(k))
	}
}

// TestThereAndBack: if an issuer returns with a shorter lifetime, its earlier tokens with a
// longer lifetime stay valid.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *keyring.Config) { c.Access = 2 * time.Hour })
	long := g.MustIssue(t, g.User(2*time.Hour))
	g.reconfigure(t, func(c *keyring.Config) { c.Issuer, c.Access = "other", time.Hour })
	g.reconfigure(t, func(c *keyring.Config) { c.Issuer = "wxgate" })
	g.Clock.Add(2*time.Hour - time.Second)
	g.mustTick(t)
	g.MustVerify(t, long)
}

// TestLongerLivesElsewhere: a replica's tokens may have a longer lifetime than in the
// configuration that was loaded last. Once it has read the ring, it still issues them.
func TestLongerLivesElsewhere(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *keyring.Config) { c.Access = 2 * time.Hour })
	cfg := g.Config
	cfg.Alg, cfg.Access = signing.ES256, time.Hour
	if _, err := keyring.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	g.mustTick(t)
	if id := g.MustVerify(t, g.MustIssue(t, g.User(2*time.Hour))); id.Expires.Sub(id.IssuedAt) != 2*time.Hour {
		t.Errorf("got %+v", id)
	}
}

// TestLongerLivesThroughRotations is the same test with rotations by either replica.
func TestLongerLivesThroughRotations(t *testing.T) {
	t.Parallel()
	long := newGateway(t, func(c *keyring.Config) { c.Access, c.Rotate = 2*time.Hour, 30*time.Minute })
	cfg := long.Config
	cfg.Access = time.Hour
	ring, err := keyring.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	short := &gateway{&tokentest.Gateway{Tokens: tokentest.NewTokens(t, ring, cfg), Ring: ring, Config: cfg, Clock: long.Clock, Storage: long.Storage}}
	signed := map[auth.KeyID]bool{}
	for minute := range 2 * 60 {
		ticks := []*gateway{short, long}
		if minute >= 60 {
			slices.Reverse(ticks)
		}
		for _, g := range ticks {
			g.mustTick(t)
		}
		signed[short.MustVerify(t, long.MustIssue(t, long.User(2*time.Hour))).Key] = true
		long.MustVerify(t, short.MustIssue(t, short.User(time.Hour)))
		long.Clock.Add(time.Minute)
	}
	if len(signed) != 4 { // 2 hours by half an hour
		t.Errorf("%d keys signed", len(signed))
	}
}
