package token_test

import (
	"errors"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token"
)

func TestRetire(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	raw := g.mustIssue(t, g.user(time.Hour))
	leaked := g.mustVerify(t, raw).Key
	g.Flush()
	if !g.Cached(raw) {
		t.Fatal("not cached, so this proves nothing")
	}
	until, err := g.ring.Retire(t.Context(), leaked)
	if err != nil {
		t.Fatal(err)
	}
	if want := start.Add(time.Hour + token.ReplicaLag); !until.Equal(want) {
		t.Errorf("its tokens end at %s, want %s", until, want)
	}
	g.mustRefuse(t, raw, token.RuleNoKey) // the cache notwithstanding
	if g.published(t)[leaked] {
		t.Error("still published")
	}
	if id := g.mustVerify(t, g.mustIssue(t, g.user(time.Hour))); id.Key == leaked {
		t.Error("still signs")
	}
	if _, err := g.ring.Retire(t.Context(), leaked); !errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("got %v, want ErrUnknownKey", err)
	}
}

// TestRetireOthers takes out a key that waits and one that only verifies.
func TestRetireOthers(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	first := g.ring.Keys()[0].ID
	next, err := g.ring.Rotate(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.ring.Retire(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if k := g.ring.Keys(); len(k) != 1 || k[0].ID != first || !k[0].RetiredAt.IsZero() {
		t.Errorf("got %+v", k)
	}
	if next, err = g.ring.Rotate(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if _, err := g.ring.Retire(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if k := g.ring.Keys(); len(k) != 1 || k[0].ID != next || k[0].State != token.KeySigning {
		t.Errorf("got %+v", k)
	}
	waiting, err := g.ring.Rotate(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.ring.Retire(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if id := g.mustVerify(t, g.mustIssue(t, g.user(time.Hour))); id.Key != waiting {
		t.Error("the key that waited does not sign")
	}
}

// TestRetireGiven: a leaked key that the configuration names is out at once, and
// stays out after a restart until the configuration names another.
func TestRetireGiven(t *testing.T) {
	t.Parallel()
	f := newForger(t, token.EdDSA)
	if _, err := f.ring.Rotate(t.Context(), true); !errors.Is(err, token.ErrKeyGiven) {
		t.Errorf("got %v, want ErrKeyGiven", err)
	}
	raw := f.mustIssue(t, f.user(time.Hour))
	if _, err := f.ring.Retire(t.Context(), auth.KeyID(f.kid)); err != nil {
		t.Fatal(err)
	}
	f.mustRefuse(t, raw, token.RuleNoKey)
	f.mustRefuse(t, f.sign(f.header(""), payload("", "")), token.RuleNoKey)
	f.mustVerify(t, f.mustIssue(t, f.user(time.Hour)))
	f.mustTick(t)
	if _, err := token.OpenRing(t.Context(), f.cfg); !errors.Is(err, token.ErrKeyRefused) {
		t.Errorf("got %v, want ErrKeyRefused", err)
	}
	if err := f.ring.Reconfigure(t.Context(), f.cfg); !errors.Is(err, token.ErrKeyRefused) {
		t.Errorf("got %v, want ErrKeyRefused", err)
	}
	f.mustVerify(t, f.mustIssue(t, f.user(time.Hour)))
	f.reconfigure(t, func(c *token.RingConfig) { c.Key = nil })
	f.mustRefuse(t, raw, token.RuleNoKey)
}

func TestRingIsBounded(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	var err error
	for range token.MaxKeys {
		if _, err = g.ring.Rotate(t.Context(), true); err != nil {
			break
		}
	}
	if !errors.Is(err, token.ErrRingFull) {
		t.Fatalf("got %v, want ErrRingFull", err)
	}
	g.mustVerify(t, g.mustIssue(t, g.user(time.Hour)))
	g.clock.add(2 * time.Hour)
	g.mustTick(t)
	if n := len(g.ring.Keys()); n != 1 {
		t.Errorf("%d keys are left", n)
	}
}
