package keyring_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
	"github.com/wxgate/wxgate/internal/token/tokentest"
)

func nothing(auth.KeyID) bool { return false }

// blob returns a gateway's stored ring.
func (g *gateway) blob(t *testing.T) []byte {
	t.Helper()
	blob, err := g.Storage.Load(t.Context())
	if err != nil || blob == nil {
		t.Fatalf("no stored ring: %v", err)
	}
	return blob
}

// merge adds the keys of another gateway to g, which reads them at once.
func (g *gateway) merge(t *testing.T, from *gateway, refused func(auth.KeyID) bool) (added int) {
	t.Helper()
	merged, added, err := keyring.Merge(g.Config.Box, g.blob(t), from.blob(t), refused, g.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	g.Storage.Set(func(s *tokentest.Storage) { s.Blob = merged })
	if err := g.Ring.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	return added
}

// TestMergeRings moves the users of one gateway to another: tokens of both gateways stay valid
// until they expire, the newest key signs, and a second merge changes nothing.
func TestMergeRings(t *testing.T) {
	t.Parallel()
	there := newGateway(t, func(c *keyring.Config) { c.Issuer = "there" })
	here := newGateway(t, nil)
	here.Clock.Add(time.Minute)
	here.reconfigure(t, func(c *keyring.Config) { c.Alg = signing.ES256 }) // its key is the newest
	theirs, ours := there.MustIssue(t, there.User(time.Hour)), here.MustIssue(t, here.User(time.Hour))
	for i, want := range []int{1, 0} {
		if added := here.merge(t, there, nothing); added != want {
			t.Errorf("merged %d times: %d keys added, want %d", i+1, added, want)
		}
		here.MustVerify(t, theirs)
		here.MustVerify(t, ours)
		if got, want := here.MustVerify(t, here.MustIssue(t, here.User(time.Hour))).Key, here.MustVerify(t, ours).Key; got != want {
			t.Errorf("%s signs, want %s", got, want)
		}
	}
	here.Clock.Add(59*time.Minute - time.Second)
	here.mustTick(t)
	here.MustVerify(t, theirs)
	here.Clock.Add(time.Hour)
	here.mustTick(t)
	if n := len(here.Ring.Keys()); n != 1 {
		t.Errorf("%d keys are left after the last token of the other keys has expired", n)
	}
}

// TestMergeRingsOfOneKey merges the profiles of a key that both gateways sign with.
func TestMergeRingsOfOneKey(t *testing.T) {
	t.Parallel()
	key := func(c *keyring.Config) { c.Key = givenKey(t, 1) }
	there := newGateway(t, func(c *keyring.Config) { key(c); c.Issuer = "there" })
	here := newGateway(t, key)
	theirs := there.MustIssue(t, there.User(time.Hour))
	here.mustRefuse(t, theirs, ruleProfile)
	if added := here.merge(t, there, nothing); added != 0 {
		t.Errorf("%d keys added", added)
	}
	here.MustVerify(t, theirs)
	here.MustVerify(t, here.MustIssue(t, here.User(time.Hour)))
}

// TestMergeRingsRefused: keys that were retired in either ring are not merged.
func TestMergeRingsRefused(t *testing.T) {
	t.Parallel()
	there := newGateway(t, nil)
	here := newGateway(t, nil)
	leaked := there.MustIssue(t, there.User(time.Hour))
	id := there.MustVerify(t, leaked).Key
	here.merge(t, there, func(key auth.KeyID) bool { return key == id })
	here.mustRefuse(t, leaked, ruleNoKey)

	given := newGateway(t, func(c *keyring.Config) { c.Key = givenKey(t, 1) })
	leaked = given.MustIssue(t, given.User(time.Hour))
	old := &gateway{&tokentest.Gateway{Storage: &tokentest.Storage{Blob: given.blob(t)}, Config: given.Config, Clock: given.Clock}}
	if _, err := given.Ring.Retire(t.Context(), given.MustVerify(t, leaked).Key); err != nil {
		t.Fatal(err)
	}
	given.merge(t, old, nothing)
	given.mustRefuse(t, leaked, ruleNoKey)
	given.MustVerify(t, given.MustIssue(t, given.User(time.Hour)))
}

// TestMergeRingsErrors: no ring is returned if one of the two cannot be read.
func TestMergeRingsErrors(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	box := tokentest.MustBox(t, []byte("another root secret of 32 bytes!!"))
	for name, test := range map[string]struct {
		into, from []byte
		want       error
	}{
		"another secret here":  {into: g.blob(t), want: keyring.ErrOtherSecret},
		"another secret there": {from: g.blob(t), want: keyring.ErrOtherSecret},
		"no ring":              {from: []byte("no ring"), want: keyring.ErrUnreadable},
	} {
		if merged, _, err := keyring.Merge(box, test.into, test.from, nothing, g.Clock.Now()); !errors.Is(err, test.want) || merged != nil {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
}

// TestInherit starts a storage with the ring of the previous storage, once, and with new keys
// if that ring cannot be read.
func TestInherit(t *testing.T) {
	t.Parallel()
	before := newGateway(t, nil)
	raw := before.MustIssue(t, before.User(time.Hour))
	down := errors.New("disk failed")
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
			cfg := before.Config
			kept := &tokentest.Storage{}
			cfg.Storage, cfg.Inherit, cfg.Report = kept, test.inherit, func(error) { reports++ }
			ring, err := keyring.Open(t.Context(), cfg)
			if !errors.Is(err, test.err) || (reports > 0) != test.reports {
				t.Fatalf("got %v and %d reports", err, reports)
			}
			if err != nil {
				return
			}
			g := &gateway{&tokentest.Gateway{Tokens: tokentest.NewTokens(t, ring, cfg), Ring: ring, Config: cfg, Clock: before.Clock, Storage: kept}}
			if !test.inherits {
				g.mustRefuse(t, raw, ruleNoKey)
				return
			}
			g.MustVerify(t, raw)
			// From here on the ring belongs to the new storage: if the storage loses it, it is restored.
			if _, _, err := ring.Rotate(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			newer := g.MustIssue(t, g.User(time.Hour))
			kept.Set(func(s *tokentest.Storage) { s.Blob = nil })
			g.mustTick(t)
			if late, err := keyring.Open(t.Context(), cfg); err != nil || len(late.Keys()) != 2 {
				t.Fatalf("after the storage lost its ring: %v", err)
			}
			g.MustVerify(t, newer)
		})
	}
}
