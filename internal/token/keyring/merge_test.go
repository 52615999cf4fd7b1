package keyring_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

func nothing(auth.KeyID) bool { return false }

// blob returns a gateway's stored ring.
func (g *gateway) blob(t *testing.T) []byte {
	t.Helper()
	blob, err := g.storage.Load(t.Context())
	if err != nil || blob == nil {
		t.Fatalf("no stored ring: %v", err)
	}
	return blob
}

// merge adds the keys of another gateway to g, which reads them at once.
func (g *gateway) merge(t *testing.T, from *gateway, refused func(auth.KeyID) bool) (added int) {
	t.Helper()
	merged, added, err := keyring.Merge(g.cfg.Box, g.blob(t), from.blob(t), refused, g.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	g.storage.set(func(s *storage) { s.blob = merged })
	if err := g.ring.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	return added
}

// TestMergeRings moves the users of one gateway to another: tokens of both stay valid
// until they expire, the newest key signs, and a second merge changes nothing.
func TestMergeRings(t *testing.T) {
	t.Parallel()
	there := newGateway(t, func(c *keyring.Config) { c.Issuer = "there" })
	here := newGateway(t, nil)
	here.clock.add(time.Minute)
	here.reconfigure(t, func(c *keyring.Config) { c.Alg = signing.ES256 }) // its key is the youngest
	theirs, ours := there.mustIssue(t, there.user(time.Hour)), here.mustIssue(t, here.user(time.Hour))
	for i, want := range []int{1, 0} {
		if added := here.merge(t, there, nothing); added != want {
			t.Errorf("merged %d times: %d keys added, want %d", i+1, added, want)
		}
		here.mustVerify(t, theirs)
		here.mustVerify(t, ours)
		if got, want := here.mustVerify(t, here.mustIssue(t, here.user(time.Hour))).Key, here.mustVerify(t, ours).Key; got != want {
			t.Errorf("%s signs, want %s", got, want)
		}
	}
	here.clock.add(59*time.Minute - time.Second)
	here.mustTick(t)
	here.mustVerify(t, theirs)
	here.clock.add(time.Hour)
	here.mustTick(t)
	if n := len(here.ring.Keys()); n != 1 {
		t.Errorf("%d keys are left when the last token of the others has ended", n)
	}
}

// TestMergeRingsOfOneKey merges the profiles of a key that both gateways sign with.
func TestMergeRingsOfOneKey(t *testing.T) {
	t.Parallel()
	key := func(c *keyring.Config) { c.Key = givenKey(t, 1) }
	there := newGateway(t, func(c *keyring.Config) { key(c); c.Issuer = "there" })
	here := newGateway(t, key)
	theirs := there.mustIssue(t, there.user(time.Hour))
	here.mustRefuse(t, theirs, ruleProfile)
	if added := here.merge(t, there, nothing); added != 0 {
		t.Errorf("%d keys added", added)
	}
	here.mustVerify(t, theirs)
	here.mustVerify(t, here.mustIssue(t, here.user(time.Hour)))
}

// TestMergeRingsRefused does not merge keys that were retired in either ring.
func TestMergeRingsRefused(t *testing.T) {
	t.Parallel()
	there := newGateway(t, nil)
	here := newGateway(t, nil)
	leaked := there.mustIssue(t, there.user(time.Hour))
	id := there.mustVerify(t, leaked).Key
	here.merge(t, there, func(key auth.KeyID) bool { return key == id })
	here.mustRefuse(t, leaked, ruleNoKey)

	given := newGateway(t, func(c *keyring.Config) { c.Key = givenKey(t, 1) })
	leaked = given.mustIssue(t, given.user(time.Hour))
	old := &gateway{storage: &storage{blob: given.blob(t)}, cfg: given.cfg, clock: given.clock}
	if _, err := given.ring.Retire(t.Context(), given.mustVerify(t, leaked).Key); err != nil {
		t.Fatal(err)
	}
	given.merge(t, old, nothing)
	given.mustRefuse(t, leaked, ruleNoKey)
	given.mustVerify(t, given.mustIssue(t, given.user(time.Hour)))
}

// TestMergeRingsErrors returns no ring if one of the two cannot be read.
func TestMergeRingsErrors(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	box := mustBox(t, []byte("another root secret of 32 bytes!!"))
	for name, test := range map[string]struct {
		into, from []byte
		want       error
	}{
		"another secret here":  {into: g.blob(t), want: keyring.ErrOtherSecret},
		"another secret there": {from: g.blob(t), want: keyring.ErrOtherSecret},
		"no ring":              {from: []byte("no ring"), want: keyring.ErrUnreadable},
	} {
		if merged, _, err := keyring.Merge(box, test.into, test.from, nothing, g.clock.Now()); !errors.Is(err, test.want) || merged != nil {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
}

// TestInherit starts a storage with the ring of the storage before it, once, and with
// new keys if that ring cannot be read.
func TestInherit(t *testing.T) {
	t.Parallel()
	before := newGateway(t, nil)
	raw := before.mustIssue(t, before.user(time.Hour))
	down := errors.New("disk on fire")
	for name, test := range map[string]struct {
		inherit  func(context.Context) ([]byte, error)
		inherits bool
		reports  bool
		err      error
	}{
		"a ring":     {func(context.Context) ([]byte, error) { return before.blob(t), nil }, true, false, nil},
		"none":       {func(context.Context) ([]byte, error) { return nil, nil }, false, false, nil},
		"unreadable": {func(context.Context) ([]byte, error) { return []byte("no ring"), nil }, false, true, nil},
		"down":       {func(context.Context) ([]byte, error) { return nil, down }, false, false, down},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reports := 0
			cfg := before.cfg
			kept := &storage{}
			cfg.Storage, cfg.Inherit, cfg.Report = kept, test.inherit, func(error) { reports++ }
			ring, err := keyring.Open(t.Context(), cfg)
			if !errors.Is(err, test.err) || (reports > 0) != test.reports {
				t.Fatalf("got %v and %d reports", err, reports)
			}
			if err != nil {
				return
			}
			g := &gateway{Tokens: newTokens(t, ring, cfg), ring: ring, cfg: cfg, clock: before.clock, storage: kept}
			if !test.inherits {
				g.mustRefuse(t, raw, ruleNoKey)
				return
			}
			g.mustVerify(t, raw)
			// From here on the ring is its own: if the storage loses it, it is restored.
			if _, _, err := ring.Rotate(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			young := g.mustIssue(t, g.user(time.Hour))
			kept.set(func(s *storage) { s.blob = nil })
			g.mustTick(t)
			if late, err := keyring.Open(t.Context(), cfg); err != nil || len(late.Keys()) != 2 {
				t.Fatalf("after the storage lost its ring: %v", err)
			}
			g.mustVerify(t, young)
		})
	}
}
