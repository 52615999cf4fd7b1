package keyring_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/tokentest"
)

func TestRestart(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgs {
		g := newGateway(t, func(c *keyring.Config) { c.Alg = alg })
		raw := g.MustIssue(t, g.User(time.Hour))
		again, err := keyring.Open(t.Context(), g.Config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tokentest.NewTokens(t, again, g.Config).Verify(raw); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		if g.Storage.Writes != 1 {
			t.Errorf("%s: %d writes for one key", alg, g.Storage.Writes)
		}
	}
}

// TestConcurrentRings starts ten replicas at once: all of them have the same key.
func TestConcurrentRings(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	g.Storage.Set(func(s *tokentest.Storage) { s.Blob = nil })
	var mu sync.Mutex
	ids := map[auth.KeyID]bool{}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			ring, err := keyring.Open(t.Context(), g.Config)
			if err == nil {
				err = ring.Tick(t.Context())
			}
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[ring.Keys()[0].ID] = true
		})
	}
	wg.Wait()
	if len(ids) != 1 {
		t.Errorf("%d keys", len(ids))
	}
}

// TestReplicaFollows: a replica accepts another replica's new key once it has read the key.
func TestReplicaFollows(t *testing.T) {
	t.Parallel()
	a := newGateway(t, nil)
	ring, err := keyring.Open(t.Context(), a.Config)
	if err != nil {
		t.Fatal(err)
	}
	b := &gateway{&tokentest.Gateway{Tokens: tokentest.NewTokens(t, ring, a.Config), Ring: ring, Clock: a.Clock}}
	if _, _, err := a.Ring.Rotate(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	raw := a.MustIssue(t, a.User(time.Hour))
	b.mustRefuse(t, raw, ruleNoKey)
	if err := ring.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.MustVerify(t, raw)
}

func TestRootSecretRotation(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	raw := g.MustIssue(t, g.User(time.Hour))
	wrong := g.Config
	wrong.Box = tokentest.MustBox(t, newSecret)
	if _, err := keyring.Open(t.Context(), wrong); !errors.Is(err, keyring.ErrOtherSecret) || !strings.Contains(err.Error(), "secret <new> <old>") {
		t.Errorf("got %v, want ErrOtherSecret with advice", err)
	}
	both := g.Config
	both.Box = tokentest.MustBox(t, newSecret, secret)
	ring, err := keyring.Open(t.Context(), both)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokentest.NewTokens(t, ring, both).Verify(raw); err != nil {
		t.Error(err)
	}
	if _, err := keyring.Open(t.Context(), wrong); err != nil {
		t.Errorf("the keys were not sealed again: %v", err)
	}
	if err := g.Ring.Tick(t.Context()); !errors.Is(err, keyring.ErrOtherSecret) {
		t.Errorf("got %v, want ErrOtherSecret", err)
	}
	g.MustVerify(t, raw) // the keys in memory stay in use
	g.MustVerify(t, g.MustIssue(t, g.User(time.Hour)))
}

// TestStoredRing reads the stored ring, with the root secret and without.
func TestStoredRing(t *testing.T) {
	t.Parallel()
	f := newGateway(t, func(c *keyring.Config) { c.Key = givenKey(t, 1) })
	f.reconfigure(t, func(c *keyring.Config) { c.Issuer = "a-marked-issuer" })
	if bytes.Contains(f.Storage.Blob, []byte("issuer")) {
		t.Error("readable without the root secret")
	}
	text, err := f.Config.Box.Open("signing-keys", f.Storage.Blob, nil)
	if err != nil || !bytes.Contains(text, []byte("a-marked-issuer")) {
		t.Fatalf("%s, %v", text, err)
	}
	if n := bytes.Count(text, []byte(`"material":"MCowBQYDK2VwAyEA`)); n != 1 { // PKIX, Ed25519, public
		t.Errorf("a given key is stored with its private half: %s", text)
	}
}

func TestUnreadableRing(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	for name, blob := range map[string][]byte{
		"cut":        g.Storage.Blob[:40],
		"empty":      {},
		"changed":    append(bytes.Clone(g.Storage.Blob[:len(g.Storage.Blob)-1]), g.Storage.Blob[len(g.Storage.Blob)-1]^1),
		"not JSON":   must(g.Config.Box.Seal("signing-keys", []byte("x"), nil)),
		"newer":      must(g.Config.Box.Seal("signing-keys", []byte(`{"version":2}`), nil)),
		"no profile": must(g.Config.Box.Seal("signing-keys", []byte(`{"version":1,"keys":[{"kid":"x"}]}`), nil)),
		"null key":   must(g.Config.Box.Seal("signing-keys", []byte(`{"version":1,"keys":[null]}`), nil)),
		"other kid": must(g.Config.Box.Seal("signing-keys", []byte(`{"version":1,"keys":[{"kid":"x","alg":"HS256",`+
			`"material":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","profiles":[{"issuer":"a","audiences":["a"],"access":1}]}]}`), nil)),
	} {
		cfg := g.Config
		cfg.Storage = &tokentest.Storage{Blob: blob}
		if _, err := keyring.Open(t.Context(), cfg); !errors.Is(err, keyring.ErrUnreadable) {
			t.Errorf("%s: got %v, want ErrRingUnreadable", name, err)
		}
	}
}

// TestStorageDown: without its storage a gateway does not start, but a running one continues.
func TestStorageDown(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	down := errors.New("disk failed")
	g.Storage.Set(func(s *tokentest.Storage) { s.Broken = down })
	rotate := func(ctx context.Context) error { _, _, err := g.Ring.Rotate(ctx, false); return err }
	open := func(ctx context.Context) error { _, err := keyring.Open(ctx, g.Config); return err }
	for name, call := range map[string]func(context.Context) error{
		"tick": g.Ring.Tick, "rotate": rotate, "open": open,
	} {
		if err := call(t.Context()); !errors.Is(err, auth.ErrStoreUnavailable) || !errors.Is(err, down) {
			t.Errorf("%s: got %v, want ErrStoreUnavailable", name, err)
		}
	}
	g.MustVerify(t, g.MustIssue(t, g.User(time.Hour)))
}

// TestStorageLosesTheKeys: the next call restores the keys, so that the next replica to start
// signs with them and accepts their tokens.
func TestStorageLosesTheKeys(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(*keyring.Ring, context.Context) error{
		"tick":   (*keyring.Ring).Tick,
		"rotate": func(r *keyring.Ring, ctx context.Context) error { _, _, err := r.Rotate(ctx, false); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, nil)
			raw := g.MustIssue(t, g.User(time.Hour))
			signing := g.MustVerify(t, raw).Key
			g.Storage.Set(func(s *tokentest.Storage) { s.Blob = nil })
			if err := call(g.Ring, t.Context()); err != nil {
				t.Fatal(err)
			}
			late, err := keyring.Open(t.Context(), g.Config)
			if err != nil {
				t.Fatal(err)
			}
			if keys := late.Keys(); keys[0].ID != signing || keys[0].State != keyring.KeySigning {
				t.Errorf("another replica has %+v, want %s to sign", keys, signing)
			}
			g.MustVerify(t, raw)
		})
	}
}
