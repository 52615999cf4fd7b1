package keyring_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 129)
	for name, row := range map[string]struct {
		change func(*keyring.Config)
		want   error
	}{
		"no storage":       {func(c *keyring.Config) { c.Storage = nil }, keyring.ErrConfig},
		"no box":           {func(c *keyring.Config) { c.Box = nil }, keyring.ErrConfig},
		"no issuer":        {func(c *keyring.Config) { c.Issuer = "" }, keyring.ErrConfig},
		"long issuer":      {func(c *keyring.Config) { c.Issuer = long }, keyring.ErrConfig},
		"issuer with line": {func(c *keyring.Config) { c.Issuer = "a\nb" }, keyring.ErrConfig},
		"issuer not UTF-8": {func(c *keyring.Config) { c.Issuer = "a\xff" }, keyring.ErrConfig},
		"empty audience":   {func(c *keyring.Config) { c.Audiences = []string{""} }, keyring.ErrConfig},
		"audience twice":   {func(c *keyring.Config) { c.Audiences = []string{"a", "b", "a"} }, keyring.ErrConfig},
		"nine audiences":   {func(c *keyring.Config) { c.Audiences = strings.Split("abcdefghi", "") }, keyring.ErrConfig},
		"over a KiB":       {func(c *keyring.Config) { c.Alg, c.Audiences = signing.RS256, []string{long[:120]} }, keyring.ErrConfig},
		"no access":        {func(c *keyring.Config) { c.Access = 0 }, keyring.ErrConfig},
		"access of a year": {func(c *keyring.Config) { c.Access = 365 * 24 * time.Hour }, keyring.ErrConfig},
		"rotate too often": {func(c *keyring.Config) { c.Rotate = time.Minute }, keyring.ErrConfig},
		"too many keys":    {func(c *keyring.Config) { c.Rotate, c.Access = 2*time.Minute, 3*time.Hour }, keyring.ErrConfig},
		"unknown alg":      {func(c *keyring.Config) { c.Alg = "none" }, signing.ErrAlg},
		"key of other alg": {func(c *keyring.Config) { c.Alg, c.Key = signing.ES256, givenKey(t, 1) }, signing.ErrAlg},
	} {
		g := newGateway(t, nil)
		cfg := g.cfg
		row.change(&cfg)
		if _, err := keyring.Open(t.Context(), cfg); !errors.Is(err, row.want) {
			t.Errorf("%s: got %v, want %v", name, err, row.want)
		}
		if err := g.ring.Reconfigure(t.Context(), cfg); !errors.Is(err, row.want) {
			t.Errorf("%s: reconfigured with %v, want %v", name, err, row.want)
		}
		g.mustVerify(t, g.mustIssue(t, g.user(time.Hour)))
	}
	if _, err := token.New(token.Config{}); !errors.Is(err, keyring.ErrConfig) {
		t.Errorf("got %v, want ErrConfig", err)
	}
}

// TestSecretsAreNotPublished: whoever reads an HS256 secret signs as we do. The
// public keys of a ring that also has one are published all the same.
func TestSecretsAreNotPublished(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *keyring.Config) { c.Alg, c.Key = signing.HS256, hmacKey(t, 'h') })
	body, etag := g.ring.JWKS()
	if string(body) != `{"keys":[]}` {
		t.Errorf("got %s", body)
	}
	g.reconfigure(t, func(c *keyring.Config) { c.Alg, c.Key = signing.ES256, nil })
	both, other := g.ring.JWKS()
	if len(g.ring.Keys()) != 2 || len(g.published(t)) != 1 || bytes.Contains(both, []byte(`"oct"`)) || bytes.Contains(both, []byte(`"d"`)) {
		t.Errorf("got %s", both)
	}
	if etag == other {
		t.Error("another key set has the same entity tag")
	}
}
