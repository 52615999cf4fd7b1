// Package tokentest is shared by the tests of tokens and of their keys: it has a gateway's ring
// and tokens, over a storage in memory and a clock that a test advances.
package tokentest

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
)

var (
	// Start is the initial time of the clock.
	Start = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	// Secret is the root secret.
	Secret = bytes.Repeat([]byte("s"), seal.MinSecretBytes)
)

// Storage is a [keyring.Storage] in memory.
type Storage struct {
	mu     sync.Mutex
	Blob   []byte
	Writes int   // number of writes
	Broken error // if set, every call returns it
}

// Load implements [keyring.Storage].
func (s *Storage) Load(context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.Blob), s.Broken
}

// Update implements [keyring.Storage].
func (s *Storage) Update(_ context.Context, change func([]byte) ([]byte, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Broken != nil {
		return s.Broken
	}
	blob, err := change(bytes.Clone(s.Blob))
	if err != nil || blob == nil {
		return err
	}
	s.Blob = bytes.Clone(blob)
	s.Writes++
	return nil
}

// Set changes the storage under its lock.
func (s *Storage) Set(change func(*Storage)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// Clock is a clock that a test advances.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock at [Start].
func NewClock() *Clock { return &Clock{now: Start} }

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add advances the clock.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Gateway is a ring and Tokens over it, with their clock.
type Gateway struct {
	*token.Tokens
	Ring    *keyring.Ring
	Config  keyring.Config
	Clock   *Clock
	Storage *Storage
}

// MustBox returns a box of secrets.
func MustBox(tb testing.TB, secrets ...[]byte) *seal.Box {
	tb.Helper()
	box, err := seal.New(secrets...)
	if err != nil {
		tb.Fatal(err)
	}
	return box
}

// New returns a gateway with a separate storage and clock. change may be nil.
func New(tb testing.TB, change func(*keyring.Config)) *Gateway {
	tb.Helper()
	g := &Gateway{Clock: NewClock(), Storage: &Storage{}}
	g.Config = keyring.Config{
		Storage: g.Storage, Box: MustBox(tb, Secret), Issuer: "wxgate", Access: time.Hour, Now: g.Clock.Now,
	}
	if change != nil {
		change(&g.Config)
	}
	var err error
	if g.Ring, err = keyring.Open(tb.Context(), g.Config); err != nil {
		tb.Fatal(err)
	}
	g.Tokens = NewTokens(tb, g.Ring, g.Config)
	return g
}

// NewTokens returns tokens over a ring, with a small cache.
func NewTokens(tb testing.TB, ring *keyring.Ring, cfg keyring.Config) *token.Tokens {
	tb.Helper()
	tokens, err := token.New(token.Config{Ring: ring, Box: cfg.Box, Now: cfg.Now, CacheBytes: token.MinCacheBytes})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(tokens.Close)
	return tokens
}

// User returns the identity of a user who logs in now, with the given lifetime.
func (g *Gateway) User(life time.Duration) auth.Identity {
	u := auth.User{App: "wx4f4bc4dec97d474b", OpenID: "oGZUI0egBJY1zhBYw2KhdUfwVJJE"}
	return auth.Identity{
		User:     u,
		UnionID:  "ocMvos6NjeKLIBqg5Mr9QjxrP1FA",
		Session:  auth.NewSessionID(g.Clock.Now(), u),
		Phone:    "+8610000138000",
		IssuedAt: g.Clock.Now(),
		Expires:  g.Clock.Now().Add(life),
	}
}

// MustIssue signs an access token.
func (g *Gateway) MustIssue(tb testing.TB, id auth.Identity) string {
	tb.Helper()
	raw, err := g.Issue(id)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// MustVerify returns the identity of a valid token.
func (g *Gateway) MustVerify(tb testing.TB, raw string) *auth.Identity {
	tb.Helper()
	id, err := g.Verify(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// Claims verifies a token as a receiver does, with only the published keys and a different
// library, and returns its type and claims.
func (g *Gateway) Claims(t testing.TB, raw string) (typ string, claims map[string]any) {
	t.Helper()
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256, jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	body, _ := g.Ring.JWKS()
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	payload, err := signed.Verify(set)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	typ, _ = signed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType].(string)
	return typ, claims
}
