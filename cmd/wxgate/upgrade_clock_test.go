package main_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	sessions "github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/token"
	rings "github.com/wxgate/wxgate/internal/token/keyring"
)

// judgeAccess verifies the access tokens of an earlier version with a clock that is one hour
// after their issue. With the real clock, they expire after 30 days.
func judgeAccess(t *testing.T, fixture string) {
	t.Helper()
	dir := t.TempDir()
	copyFolder(t, filepath.Join(fixture, fixtureBolt), dir)
	clients := readCredentials(t, filepath.Join(fixture, boltTokens))
	soon := issuedAt(t, clients["alice"].Access).Add(time.Hour)
	now := func() time.Time { return soon }
	secret, err := os.ReadFile(filepath.Join(dir, "caddy", "wxgate", "root_secret"))
	if err != nil {
		t.Fatal(err)
	}
	box, err := seal.New(bytes.TrimSpace(secret))
	if err != nil {
		t.Fatal(err)
	}
	keys := keyFile(filepath.Join(dir, "caddy", "wxgate", "keys"))
	ring, err := rings.Open(t.Context(), rings.Config{Storage: keys, Box: box, Issuer: "wxgate", Access: rings.MaxAccess, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := token.New(token.Config{Ring: ring, Box: box, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer tokens.Close()
	file, err := bolt.Open(filepath.Join(dir, "wxgate.db"), sessions.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Store(box, now); err != nil {
		t.Fatal(err)
	}
	admit := func(raw string) (auth.Identity, error) {
		id, err := tokens.Verify(raw)
		if err != nil {
			return auth.Identity{}, err
		}
		if file.Revocations().Revoked(id) {
			return *id, auth.ErrSessionRevoked
		}
		return *id, nil
	}
	for name, want := range map[string]error{
		"alice": nil, "bob": auth.ErrSessionRevoked, "carol": auth.ErrInvalidToken, "dave": nil, "erin": auth.ErrSessionRevoked,
	} {
		id, err := admit(clients[name].Access)
		if !errors.Is(err, want) || err == nil && string(id.OpenID) != clients[name].OpenID {
			t.Errorf("the access token of %s: %+v, %v; want %v", name, id, err, want)
		}
	}
}

// issuedAt returns the claim iat of an access token.
func issuedAt(t *testing.T, raw string) time.Time {
	t.Helper()
	var claims struct {
		IssuedAt float64 `json:"iat"`
	}
	_, rest, _ := strings.Cut(raw, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	if err != nil || claims.IssuedAt <= 0 {
		t.Fatalf("no iat in %q: %v", raw, err)
	}
	return time.Unix(int64(claims.IssuedAt), 0)
}

// keyFile is the file of the signing keys in Caddy's storage, for one goroutine.
type keyFile string

// Load implements [rings.Storage].
func (f keyFile) Load(context.Context) ([]byte, error) { return os.ReadFile(string(f)) }

// Update implements [rings.Storage].
func (f keyFile) Update(ctx context.Context, change func([]byte) ([]byte, error)) error {
	blob, err := f.Load(ctx)
	if err != nil {
		return err
	}
	changed, err := change(blob)
	if err != nil || changed == nil {
		return err
	}
	return os.WriteFile(string(f), changed, 0o600)
}

var _ rings.Storage = keyFile("")
