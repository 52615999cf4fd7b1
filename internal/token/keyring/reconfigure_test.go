package keyring_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
	"github.com/wxgate/wxgate/internal/token/tokentest"
)

func givenKey(tb testing.TB, seed byte) *signing.Key {
	tb.Helper()
	key, err := signing.FromMaterial(signing.EdDSA, must(x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32)))), false)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func hmacKey(tb testing.TB, seed byte) *signing.Key {
	tb.Helper()
	key, err := signing.ParseKey(signing.HS256, bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// TestChangesLogNoUserOut: after any change of the configuration, a token is valid until
// it expires, in this process and after a restart, and is refused after that. New tokens
// have the issuer of the new configuration.
func TestChangesLogNoUserOut(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ from, to func(*keyring.Config) }{
		"alg":       {nil, func(c *keyring.Config) { c.Alg = signing.ES256 }},
		"alg to HS": {nil, func(c *keyring.Config) { c.Alg = signing.HS256 }},
		"issuer":    {nil, func(c *keyring.Config) { c.Issuer = "other" }},
		"audience":  {nil, func(c *keyring.Config) { c.Audiences = []string{"shop"} }},
		"key given": {nil, func(c *keyring.Config) { c.Key = givenKey(t, 1) }},
		"access":    {nil, func(c *keyring.Config) { c.Access = time.Minute }},
		"everything": {nil, func(c *keyring.Config) {
			c.Alg, c.Issuer, c.Key, c.Access = signing.HS256, "o", hmacKey(t, 3), time.Minute
		}},
		"key changed": {
			func(c *keyring.Config) { c.Key = givenKey(t, 1) },
			func(c *keyring.Config) { c.Key = givenKey(t, 2) },
		},
		"key removed": {
			func(c *keyring.Config) { c.Key = givenKey(t, 1) },
			func(c *keyring.Config) { c.Key = nil },
		},
		"secret changed": {
			func(c *keyring.Config) { c.Alg, c.Key = signing.HS256, hmacKey(t, 1) },
			func(c *keyring.Config) { c.Key = hmacKey(t, 2) },
		},
		"issuer of a given key": {
			func(c *keyring.Config) { c.Key = givenKey(t, 1) },
			func(c *keyring.Config) { c.Issuer = "other" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, row.from)
			old := g.MustIssue(t, g.User(time.Hour))
			g.reconfigure(t, row.to)
			g.mustAcceptUntilExpiry(t, old)
		})
	}
}

// mustAcceptUntilExpiry verifies an earlier token for its whole hour, in this process and in a
// process that starts now.
func (g *gateway) mustAcceptUntilExpiry(t *testing.T, old string) {
	t.Helper()
	again, err := keyring.Open(t.Context(), g.Config)
	if err != nil {
		t.Fatal(err)
	}
	restarted := &gateway{&tokentest.Gateway{Tokens: tokentest.NewTokens(t, again, g.Config), Ring: again, Config: g.Config, Clock: g.Clock, Storage: g.Storage}}
	for _, g := range []*gateway{g, restarted} {
		g.MustVerify(t, g.MustIssue(t, g.User(g.Config.Access)))
	}
	for range 60 {
		for _, g := range []*gateway{g, restarted} {
			g.MustVerify(t, old)
			g.mustTick(t)
		}
		g.Clock.Add(time.Minute)
	}
	for _, g := range []*gateway{g, restarted} {
		if _, err := g.Verify(old); err == nil {
			t.Error("the token is valid after its expiry")
		}
	}
	g.Clock.Add(time.Hour)
	g.mustTick(t)
	if k := g.Ring.Keys(); len(k) != 1 || k[0].Issuer != g.Config.Issuer {
		t.Errorf("left: %+v", k)
	}
}

// TestOldIssuerEnds: the tokens of a replaced issuer are accepted until the last of them has
// expired and not a second longer, although the issuer's key still signs.
func TestOldIssuerEnds(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *keyring.Config) { c.Key = givenKey(t, 1) })
	g.reconfigure(t, func(c *keyring.Config) { c.Issuer, c.Audiences = "new", []string{"new"} })
	last := start.Add(time.Hour + keyring.ReplicaLag)
	for name, row := range map[string]struct {
		issuer, audience string
		at               time.Time
		accepted         bool
	}{
		"old issuer":               {"wxgate", "wxgate", start, true},
		"new issuer":               {"new", "new", start, true},
		"old issuer, new audience": {"wxgate", "new", start, false},
		"old issuer, at its end":   {"wxgate", "wxgate", last.Add(-1), true},
		"old issuer, after it":     {"wxgate", "wxgate", last, false},
		"new issuer, after it":     {"new", "new", last, true},
	} {
		key := g.Ring.Accepted(string(g.Config.Key.ID()), row.at)
		if key == nil {
			t.Fatalf("%s: the key is not accepted", name)
		}
		p := key.ProfileFor(row.issuer, []string{"x", row.audience}, row.at)
		if (p != nil) != row.accepted || p != nil && p.Issuer != row.issuer {
			t.Errorf("%s: got %+v", name, p)
		}
	}
}

// TestReplacedKeyEnds: a replaced key is not accepted after its last token has expired, even if
// no call of Tick has removed the key yet.
func TestReplacedKeyEnds(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	old := string(g.Ring.Keys()[0].ID)
	g.reconfigure(t, func(c *keyring.Config) { c.Alg = signing.ES256 })
	end := start.Add(time.Hour + keyring.ReplicaLag)
	if g.Ring.Accepted(old, end.Add(-1)) == nil {
		t.Error("refused before its last token expires")
	}
	if g.Ring.Accepted(old, end) != nil {
		t.Error("accepted after its last token has expired")
	}
	g.Clock.Add(end.Sub(start))
	g.mustTick(t)
	if g.Ring.Accepted(old, start) != nil {
		t.Error("still in the ring after a tick")
	}
}

// TestRequestsInProgress: a request that started under the previous configuration still issues
// tokens with its lifetime, whatever else the new configuration changes.
func TestRequestsInProgress(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*keyring.Config){
		"access":   func(*keyring.Config) {},
		"alg":      func(c *keyring.Config) { c.Alg = signing.ES256 },
		"issuer":   func(c *keyring.Config) { c.Issuer = "other" },
		"audience": func(c *keyring.Config) { c.Audiences = []string{"shop"} },
		"key":      func(c *keyring.Config) { c.Key = givenKey(t, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, nil)
			g.reconfigure(t, func(c *keyring.Config) { c.Access = time.Minute; change(c) })
			late := g.MustIssue(t, g.User(time.Hour))
			g.Clock.Add(time.Hour - time.Second)
			g.mustTick(t)
			g.MustVerify(t, late)
		})
	}
}

// TestOneAudienceMore: if the old and the new profile have an audience in common, the longer of
// the two lifetimes is the limit.
func TestOneAudienceMore(t *testing.T) {
	t.Parallel()
	for name, audiences := range map[string][2][]string{
		"one more": {{"wxgate"}, {"wxgate", "shop"}},
		"one less": {{"wxgate", "shop"}, {"wxgate"}},
		"another":  {{"wxgate", "shop"}, {"wxgate", "orders"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(c *keyring.Config) { c.Audiences = audiences[0] })
			old := g.MustIssue(t, g.User(time.Hour))
			g.reconfigure(t, func(c *keyring.Config) { c.Audiences, c.Access = audiences[1], 2*time.Hour })
			long := g.MustIssue(t, g.User(2*time.Hour))
			g.MustVerify(t, old)
			g.MustVerify(t, long)
			g.Clock.Add(2*time.Hour - time.Second)
			g.mustTick(t)
			g.MustVerify(t, long)
		})
	}
}

// TestReconfigureRotate: a setting takes effect even if it changes nothing in the stored ring.
func TestReconfigureRotate(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	g.reconfigure(t, func(c *keyring.Config) { c.Rotate = time.Hour })
	if g.Storage.Writes != 1 {
		t.Errorf("%d writes", g.Storage.Writes)
	}
	g.Clock.Add(50 * time.Minute)
	g.mustTick(t)
	if g.states()[keyring.KeyNext] != 1 {
		t.Errorf("no next key: %+v", g.Ring.Keys())
	}
}

// TestTickWithoutChange: if nothing has changed, the keys are not parsed again and the
// ring is not written.
func TestTickWithoutChange(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	before, _ := g.Ring.JWKS()
	g.mustTick(t)
	if after, _ := g.Ring.JWKS(); &before[0] != &after[0] || g.Storage.Writes != 1 {
		t.Errorf("the key set was created again; %d writes", g.Storage.Writes)
	}
}
