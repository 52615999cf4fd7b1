package token_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/token"
)

func givenKey(tb testing.TB, seed byte) *token.Key {
	tb.Helper()
	key, err := token.ParseKey(token.EdDSA, privatePEM(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))))
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func hmacKey(tb testing.TB, seed byte) *token.Key {
	tb.Helper()
	key, err := token.ParseKey(token.HS256, bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// TestChangesLogNobodyOut: whatever changes in the configuration, a token lives
// as long as it was promised, on this process and after a restart, and is refused
// after that. New tokens say what the new configuration says.
func TestChangesLogNobodyOut(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ from, to func(*token.RingConfig) }{
		"alg":       {nil, func(c *token.RingConfig) { c.Alg = token.ES256 }},
		"alg to HS": {nil, func(c *token.RingConfig) { c.Alg = token.HS256 }},
		"issuer":    {nil, func(c *token.RingConfig) { c.Issuer = "other" }},
		"audience":  {nil, func(c *token.RingConfig) { c.Audiences = []string{"shop"} }},
		"key given": {nil, func(c *token.RingConfig) { c.Key = givenKey(t, 1) }},
		"access":    {nil, func(c *token.RingConfig) { c.Access = time.Minute }},
		"everything": {nil, func(c *token.RingConfig) {
			c.Alg, c.Issuer, c.Key, c.Access = token.HS256, "o", hmacKey(t, 3), time.Minute
		}},
		"key changed": {
			func(c *token.RingConfig) { c.Key = givenKey(t, 1) },
			func(c *token.RingConfig) { c.Key = givenKey(t, 2) },
		},
		"key removed": {
			func(c *token.RingConfig) { c.Key = givenKey(t, 1) },
			func(c *token.RingConfig) { c.Key = nil },
		},
		"secret changed": {
			func(c *token.RingConfig) { c.Alg, c.Key = token.HS256, hmacKey(t, 1) },
			func(c *token.RingConfig) { c.Key = hmacKey(t, 2) },
		},
		"issuer of a given key": {
			func(c *token.RingConfig) { c.Key = givenKey(t, 1) },
			func(c *token.RingConfig) { c.Issuer = "other" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, row.from)
			old := g.mustIssue(t, g.user(time.Hour))
			g.reconfigure(t, row.to)
			g.mustKeepPromise(t, old)
		})
	}
}

// mustKeepPromise goes through the hour that a token of before was promised,
// here and in a process that starts now.
func (g *gateway) mustKeepPromise(t *testing.T, old string) {
	t.Helper()
	again, err := token.OpenRing(t.Context(), g.cfg)
	if err != nil {
		t.Fatal(err)
	}
	restarted := &gateway{Tokens: newTokens(t, again, g.cfg), ring: again, cfg: g.cfg, clock: g.clock, storage: g.storage}
	for _, g := range []*gateway{g, restarted} {
		g.mustVerify(t, g.mustIssue(t, g.user(g.cfg.Access)))
	}
	for range 60 {
		for _, g := range []*gateway{g, restarted} {
			g.mustVerify(t, old)
			g.mustTick(t)
		}
		g.clock.add(time.Minute)
	}
	for _, g := range []*gateway{g, restarted} {
		if _, err := g.Verify(old); err == nil {
			t.Error("it outlived its promise")
		}
	}
	g.clock.add(time.Hour)
	g.mustTick(t)
	if k := g.ring.Keys(); len(k) != 1 || k[0].Issuer != g.cfg.Issuer {
		t.Errorf("left: %+v", k)
	}
}

// TestOldIssuerEnds: the issuer that was replaced is good for the tokens it has
// out and not one minute more, although its key goes on.
func TestOldIssuerEnds(t *testing.T) {
	t.Parallel()
	f := newForger(t, token.EdDSA)
	f.reconfigure(t, func(c *token.RingConfig) { c.Issuer, c.Audiences = "new", []string{"new"} })
	at := func(iss string, t time.Time) string {
		return strings.NewReplacer(
			fmt.Sprint(start.Unix()), fmt.Sprint(t.Unix()),
			fmt.Sprint(start.Unix()+3600), fmt.Sprint(t.Unix()+3600),
			`"wxgate"`, `"`+iss+`"`,
		).Replace(payload("", ""))
	}
	f.mustVerify(t, f.sign(f.header(""), at("wxgate", f.clock.Now())))
	f.mustVerify(t, f.sign(f.header(""), at("new", f.clock.Now())))
	mixed := strings.Replace(at("wxgate", f.clock.Now()), `"aud":"wxgate"`, `"aud":"new"`, 1)
	f.mustRefuse(t, f.sign(f.header(""), mixed), token.RuleProfile)
	f.clock.add(time.Hour + token.ReplicaLag)
	f.mustRefuse(t, f.sign(f.header(""), at("wxgate", f.clock.Now())), token.RuleProfile)
	f.mustVerify(t, f.sign(f.header(""), at("new", f.clock.Now())))
}

// TestReplacedKeyEnds: a key that was replaced is worth nothing after its last
// token has ended, also where no loop has removed it yet.
func TestReplacedKeyEnds(t *testing.T) {
	t.Parallel()
	f := newForger(t, token.EdDSA)
	f.reconfigure(t, func(c *token.RingConfig) { c.Alg, c.Key = token.ES256, nil })
	raw := f.sign(f.header(""), payload("", ""))
	f.mustVerify(t, raw)
	f.clock.add(time.Hour + token.ReplicaLag)
	f.mustRefuse(t, raw, token.RuleNoKey)
	f.mustTick(t)
	f.mustRefuse(t, raw, token.RuleNoKey)
}

// TestRequestsUnderWay: a request that began under the configuration before goes
// on issuing what that one promised, whatever the new one changes beside a shorter
// life.
func TestRequestsUnderWay(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*token.RingConfig){
		"access":   func(*token.RingConfig) {},
		"alg":      func(c *token.RingConfig) { c.Alg = token.ES256 },
		"issuer":   func(c *token.RingConfig) { c.Issuer = "other" },
		"audience": func(c *token.RingConfig) { c.Audiences = []string{"shop"} },
		"key":      func(c *token.RingConfig) { c.Key = givenKey(t, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, nil)
			g.reconfigure(t, func(c *token.RingConfig) { c.Access = time.Minute; change(c) })
			late := g.mustIssue(t, g.user(time.Hour))
			g.clock.add(time.Hour - time.Second)
			g.mustTick(t)
			g.mustVerify(t, late)
		})
	}
}

// TestOneAudienceMore: where the names of before and of now have an audience in
// common, a token is held to the longest life that either gave.
func TestOneAudienceMore(t *testing.T) {
	t.Parallel()
	for name, audiences := range map[string][2][]string{
		"one more": {{"wxgate"}, {"wxgate", "shop"}},
		"one less": {{"wxgate", "shop"}, {"wxgate"}},
		"another":  {{"wxgate", "shop"}, {"wxgate", "orders"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(c *token.RingConfig) { c.Audiences = audiences[0] })
			old := g.mustIssue(t, g.user(time.Hour))
			g.reconfigure(t, func(c *token.RingConfig) { c.Audiences, c.Access = audiences[1], 2*time.Hour })
			long := g.mustIssue(t, g.user(2*time.Hour))
			g.mustVerify(t, old)
			g.mustVerify(t, long)
			g.clock.add(2*time.Hour - time.Second)
			g.mustTick(t)
			g.mustVerify(t, long)
		})
	}
}
