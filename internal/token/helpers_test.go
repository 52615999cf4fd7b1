package token_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	start     = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	allAlgs   = []signing.Alg{signing.EdDSA, signing.ES256, signing.RS256, signing.HS256}
	secret    = bytes.Repeat([]byte("s"), seal.MinSecretBytes)
	newSecret = bytes.Repeat([]byte("n"), seal.MinSecretBytes)
)

// storage is a [keyring.Storage] in memory.
type storage struct {
	mu     sync.Mutex
	blob   []byte
	writes int
	broken error // if set, every call returns it
}

func (s *storage) Load(context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.blob), s.broken
}

func (s *storage) Update(_ context.Context, change func([]byte) ([]byte, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	blob, err := change(bytes.Clone(s.blob))
	if err != nil || blob == nil {
		return err
	}
	s.blob = bytes.Clone(blob)
	s.writes++
	return nil
}

// clock shows the same time until a test moves it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: start} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// gateway is a ring and Tokens over it, with their clock.
type gateway struct {
	*token.Tokens
	ring    *keyring.Ring
	cfg     keyring.Config
	clock   *clock
	storage *storage
}

func mustBox(tb testing.TB, secrets ...[]byte) *seal.Box {
	tb.Helper()
	box, err := seal.New(secrets...)
	if err != nil {
		tb.Fatal(err)
	}
	return box
}

// newGateway makes a gateway with a separate storage and clock. change may be nil.
func newGateway(tb testing.TB, change func(*keyring.Config)) *gateway {
	tb.Helper()
	g := &gateway{clock: newClock(), storage: &storage{}}
	g.cfg = keyring.Config{
		Storage: g.storage, Box: mustBox(tb, secret), Issuer: "wxgate", Access: time.Hour, Now: g.clock.Now,
	}
	if change != nil {
		change(&g.cfg)
	}
	var err error
	if g.ring, err = keyring.Open(tb.Context(), g.cfg); err != nil {
		tb.Fatal(err)
	}
	g.Tokens = newTokens(tb, g.ring, g.cfg)
	return g
}

func newTokens(tb testing.TB, ring *keyring.Ring, cfg keyring.Config) *token.Tokens {
	tb.Helper()
	tokens, err := token.New(token.Config{Ring: ring, Box: cfg.Box, Now: cfg.Now, CacheEntries: 1024})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(tokens.Close)
	return tokens
}

// user returns the identity of a user who logs in now, with a lifetime.
func (g *gateway) user(life time.Duration) auth.Identity {
	u := auth.User{App: "wx4f4bc4dec97d474b", OpenID: "oGZUI0egBJY1zhBYw2KhdUfwVJJE"}
	return auth.Identity{
		User:     u,
		UnionID:  "ocMvos6NjeKLIBqg5Mr9QjxrP1FA",
		Session:  auth.NewSessionID(g.clock.Now(), u),
		Phone:    "+8610000138000",
		IssuedAt: g.clock.Now(),
		Expires:  g.clock.Now().Add(life),
	}
}

func (g *gateway) mustIssue(tb testing.TB, id auth.Identity) string {
	tb.Helper()
	raw, err := g.Issue(id)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func (g *gateway) mustVerify(tb testing.TB, raw string) *auth.Identity {
	tb.Helper()
	id, err := g.Verify(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// mustRefuse checks the error of a refusal, and that it does not contain the token.
func (g *gateway) mustRefuse(tb testing.TB, raw string, want error) {
	tb.Helper()
	id, err := g.Verify(raw)
	if !errors.Is(err, want) || id != nil {
		tb.Errorf("got %v, %v, want %v", id, err, want)
	}
	if err != nil && len(raw) > 20 && strings.Contains(err.Error(), raw[:20]) {
		tb.Errorf("the error contains the token: %v", err)
	}
}
