package keyring_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/token/keyring"
)

func TestRetire(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	raw := g.MustIssue(t, g.User(time.Hour))
	leaked := g.MustVerify(t, raw).Key
	until, err := g.Ring.Retire(t.Context(), leaked)
	if err != nil {
		t.Fatal(err)
	}
	if want := start.Add(time.Hour + keyring.ReplicaLag); !until.Equal(want) {
		t.Errorf("its tokens end at %s, want %s", until, want)
	}
	g.mustRefuse(t, raw, ruleNoKey)
	if g.published(t)[leaked] {
		t.Error("still published")
	}
	if id := g.MustVerify(t, g.MustIssue(t, g.User(time.Hour))); id.Key == leaked {
		t.Error("still signs")
	}
	if _, err := g.Ring.Retire(t.Context(), leaked); !errors.Is(err, keyring.ErrUnknownKey) {
		t.Errorf("got %v, want ErrUnknownKey", err)
	}
}

// TestRetireOthers retires a next key and a key that only verifies.
func TestRetireOthers(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	first := g.Ring.Keys()[0].ID
	next, _, err := g.Ring.Rotate(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Ring.Retire(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if k := kept(g.Ring); len(k) != 1 || k[0].ID != first || !k[0].RetiredAt.IsZero() {
		t.Errorf("got %+v", k)
	}
	if next, _, err = g.Ring.Rotate(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Ring.Retire(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if k := kept(g.Ring); len(k) != 1 || k[0].ID != next || k[0].State != keyring.KeySigning {
		t.Errorf("got %+v", k)
	}
	waiting, _, err := g.Ring.Rotate(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Ring.Retire(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if id := g.MustVerify(t, g.MustIssue(t, g.User(time.Hour))); id.Key != waiting {
		t.Error("the next key does not sign")
	}
}

// TestRetireGiven: a retired key of the configuration is refused at once, and also after a
// restart, until the configuration names a different key.
func TestRetireGiven(t *testing.T) {
	t.Parallel()
	f := newGateway(t, func(c *keyring.Config) { c.Key = givenKey(t, 1) })
	if _, _, err := f.Ring.Rotate(t.Context(), true); !errors.Is(err, keyring.ErrKeyGiven) {
		t.Errorf("got %v, want ErrKeyGiven", err)
	}
	raw := f.MustIssue(t, f.User(time.Hour))
	if _, err := f.Ring.Retire(t.Context(), f.Config.Key.ID()); err != nil {
		t.Fatal(err)
	}
	f.mustRefuse(t, raw, ruleNoKey)
	f.MustVerify(t, f.MustIssue(t, f.User(time.Hour)))
	f.mustTick(t)
	if _, err := keyring.Open(t.Context(), f.Config); !errors.Is(err, keyring.ErrKeyRefused) {
		t.Errorf("got %v, want ErrKeyRefused", err)
	}
	if err := f.Ring.Reconfigure(t.Context(), f.Config); !errors.Is(err, keyring.ErrKeyRefused) {
		t.Errorf("got %v, want ErrKeyRefused", err)
	}
	f.MustVerify(t, f.MustIssue(t, f.User(time.Hour)))
	f.reconfigure(t, func(c *keyring.Config) { c.Key = nil })
	f.mustRefuse(t, raw, ruleNoKey)
}

func TestRingIsBounded(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	var err error
	for range keyring.MaxKeys {
		if _, _, err = g.Ring.Rotate(t.Context(), true); err != nil {
			break
		}
	}
	if !errors.Is(err, keyring.ErrFull) {
		t.Fatalf("got %v, want ErrRingFull", err)
	}
	g.MustVerify(t, g.MustIssue(t, g.User(time.Hour)))
	g.Clock.Add(2 * time.Hour)
	g.mustTick(t)
	if n := len(g.Ring.Keys()); n != 1 {
		t.Errorf("%d keys are left", n)
	}
}

// kept returns the keys of a ring without those that were retired.
func kept(r *keyring.Ring) []keyring.KeyInfo {
	return slices.DeleteFunc(r.Keys(), func(k keyring.KeyInfo) bool { return k.State == keyring.KeyRetired })
}

// TestRetiredIsListed: every replica lists a retired key until its last token would have
// expired, and refuses its tokens.
func TestRetiredIsListed(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	leaked := g.Ring.Keys()[0].ID
	raw := g.MustIssue(t, g.User(time.Hour))
	until, err := g.Ring.Retire(t.Context(), leaked)
	if err != nil {
		t.Fatal(err)
	}
	other, err := keyring.Open(t.Context(), g.Config)
	if err != nil {
		t.Fatal(err)
	}
	for name, ring := range map[string]*keyring.Ring{"here": g.Ring, "elsewhere": other} {
		keys := ring.Keys()
		last := keys[len(keys)-1]
		if len(keys) != 2 || last.ID != leaked || last.State != keyring.KeyRetired || !last.VerifyUntil.Equal(until) || last.RetiredAt.IsZero() {
			t.Errorf("%s: got %+v", name, keys)
		}
	}
	g.mustRefuse(t, raw, ruleNoKey)
	if len(g.published(t)) != 1 {
		t.Error("the retired key is published")
	}
	g.Clock.Add(until.Sub(g.Clock.Now()))
	if keys := g.Ring.Keys(); len(keys) != 1 || keys[0].ID == leaked {
		t.Errorf("after its end: %+v", keys)
	}
	g.mustTick(t)
	if keys := g.Ring.Keys(); len(keys) != 1 || keys[0].ID == leaked {
		t.Errorf("after a tick: %+v", keys)
	}
}
