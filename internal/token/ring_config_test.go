package token_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/token"
)

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 129)
	for name, row := range map[string]struct {
		change func(*token.RingConfig)
		want   error
	}{
		"no storage":       {func(c *token.RingConfig) { c.Storage = nil }, token.ErrConfig},
		"no box":           {func(c *token.RingConfig) { c.Box = nil }, token.ErrConfig},
		"no issuer":        {func(c *token.RingConfig) { c.Issuer = "" }, token.ErrConfig},
		"long issuer":      {func(c *token.RingConfig) { c.Issuer = long }, token.ErrConfig},
		"issuer with line": {func(c *token.RingConfig) { c.Issuer = "a\nb" }, token.ErrConfig},
		"issuer not UTF-8": {func(c *token.RingConfig) { c.Issuer = "a\xff" }, token.ErrConfig},
		"empty audience":   {func(c *token.RingConfig) { c.Audiences = []string{""} }, token.ErrConfig},
		"audience twice":   {func(c *token.RingConfig) { c.Audiences = []string{"a", "b", "a"} }, token.ErrConfig},
		"nine audiences":   {func(c *token.RingConfig) { c.Audiences = strings.Split("abcdefghi", "") }, token.ErrConfig},
		"over a KiB":       {func(c *token.RingConfig) { c.Alg, c.Audiences = token.RS256, []string{long[:120]} }, token.ErrConfig},
		"no access":        {func(c *token.RingConfig) { c.Access = 0 }, token.ErrConfig},
		"access of a year": {func(c *token.RingConfig) { c.Access = 365 * 24 * time.Hour }, token.ErrConfig},
		"rotate too often": {func(c *token.RingConfig) { c.Rotate = time.Minute }, token.ErrConfig},
		"too many keys":    {func(c *token.RingConfig) { c.Rotate, c.Access = 2*time.Minute, 3*time.Hour }, token.ErrConfig},
		"unknown alg":      {func(c *token.RingConfig) { c.Alg = "none" }, token.ErrAlg},
		"key of other alg": {func(c *token.RingConfig) { c.Alg, c.Key = token.ES256, givenKey(t, 1) }, token.ErrAlg},
	} {
		g := newGateway(t, nil)
		cfg := g.cfg
		row.change(&cfg)
		if _, err := token.OpenRing(t.Context(), cfg); !errors.Is(err, row.want) {
			t.Errorf("%s: got %v, want %v", name, err, row.want)
		}
		if err := g.ring.Reconfigure(t.Context(), cfg); !errors.Is(err, row.want) {
			t.Errorf("%s: reconfigured with %v, want %v", name, err, row.want)
		}
		g.mustVerify(t, g.mustIssue(t, g.user(time.Hour)))
	}
	if _, err := token.New(token.Config{}); !errors.Is(err, token.ErrConfig) {
		t.Errorf("got %v, want ErrConfig", err)
	}
}

// TestSecretsAreNotPublished: whoever reads an HS256 secret signs as we do. The
// public keys of a ring that also has one are published all the same.
func TestSecretsAreNotPublished(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *token.RingConfig) { c.Alg, c.Key = token.HS256, hmacKey(t, 'h') })
	body, etag := g.ring.JWKS()
	if string(body) != `{"keys":[]}` {
		t.Errorf("got %s", body)
	}
	g.reconfigure(t, func(c *token.RingConfig) { c.Alg, c.Key = token.ES256, nil })
	both, other := g.ring.JWKS()
	if len(g.ring.Keys()) != 2 || len(g.published(t)) != 1 || bytes.Contains(both, []byte(`"oct"`)) || bytes.Contains(both, []byte(`"d"`)) {
		t.Errorf("got %s", both)
	}
	if etag == other {
		t.Error("another key set has the same entity tag")
	}
}
