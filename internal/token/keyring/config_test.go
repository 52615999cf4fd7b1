package keyring_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
	"github.com/wxgate/wxgate/internal/token/tokentest"
)

// names sets an issuer and audiences of the given lengths.
func names(issuer int, audiences ...int) func(*keyring.Config) {
	return func(c *keyring.Config) {
		c.Issuer, c.Audiences = strings.Repeat("i", issuer), nil
		for i, n := range audiences {
			c.Audiences = append(c.Audiences, strings.Repeat(string(rune('a'+i)), n))
		}
	}
}

// withAlg is names with an algorithm.
func withAlg(alg signing.Alg, change func(*keyring.Config)) func(*keyring.Config) {
	return func(c *keyring.Config) { c.Alg = alg; change(c) }
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	public := must(signing.FromMaterial(signing.EdDSA, must(givenKey(t, 1).Material(true)), true))
	tooLong := "a token has 1025 bytes, at most 1024 are allowed"
	for name, row := range map[string]struct {
		change  func(*keyring.Config)
		want    error
		message string
	}{
		"no storage":       {func(c *keyring.Config) { c.Storage = nil }, keyring.ErrConfig, "a ring needs a storage"},
		"no box":           {func(c *keyring.Config) { c.Box = nil }, keyring.ErrConfig, "and a root secret"},
		"no issuer":        {func(c *keyring.Config) { c.Issuer = "" }, keyring.ErrConfig, `"": 1 to 128 bytes`},
		"long issuer":      {names(129), keyring.ErrConfig, "1 to 128 bytes"},
		"long audience":    {names(1, 1, 129), keyring.ErrConfig, "1 to 128 bytes"},
		"issuer with line": {func(c *keyring.Config) { c.Issuer = "a\nb" }, keyring.ErrConfig, `"a\nb": 1 to 128 bytes of text`},
		"control at first": {func(c *keyring.Config) { c.Issuer = "\x00" }, keyring.ErrConfig, "of text"},
		"issuer not UTF-8": {func(c *keyring.Config) { c.Issuer = "a\xff" }, keyring.ErrConfig, "of text"},
		"empty audience":   {func(c *keyring.Config) { c.Audiences = []string{""} }, keyring.ErrConfig, `"": 1 to 128 bytes`},
		"audience twice":   {func(c *keyring.Config) { c.Audiences = []string{"a", "b", "a"} }, keyring.ErrConfig, `duplicate audience "a"`},
		"nine audiences":   {func(c *keyring.Config) { c.Audiences = strings.Split("abcdefghi", "") }, keyring.ErrConfig, "9 audiences, at most 8"},
		"long token EdDSA": {withAlg(signing.EdDSA, names(128, 126)), keyring.ErrConfig, tooLong},
		"long token ES256": {withAlg(signing.ES256, names(128, 126)), keyring.ErrConfig, tooLong},
		"long token RS256": {withAlg(signing.RS256, names(10, 52)), keyring.ErrConfig, tooLong},
		"long token HS256": {withAlg(signing.HS256, names(128, 128, 25)), keyring.ErrConfig, tooLong},
		"no access":        {func(c *keyring.Config) { c.Access = 0 }, keyring.ErrConfig, "access 0s, it must be from 1s to 720h0m0s"},
		"short access":     {func(c *keyring.Config) { c.Access = time.Second - 1 }, keyring.ErrConfig, "it must be from 1s"},
		"long access":      {func(c *keyring.Config) { c.Access = keyring.MaxAccess + 1 }, keyring.ErrConfig, "to 720h0m0s"},
		"rotate too often": {func(c *keyring.Config) { c.Rotate = 2*time.Minute - 1 }, keyring.ErrConfig, "at least 2m0s is needed"},
		"too many keys": {func(c *keyring.Config) { c.Rotate, c.Access = 2*time.Minute, 124*time.Minute-90*time.Second }, keyring.ErrConfig,
			"rotating every 2m0s with tokens of 2h2m30s keeps 65 keys, at most 64"},
		"unknown alg":      {func(c *keyring.Config) { c.Alg = "none" }, signing.ErrAlg, `unrecognized "none"`},
		"key of other alg": {func(c *keyring.Config) { c.Alg, c.Key = signing.ES256, givenKey(t, 1) }, signing.ErrAlg, "the configured key signs EdDSA, alg is ES256"},
		"public key":       {func(c *keyring.Config) { c.Key = public }, signing.ErrAlg, "the configured key"},
	} {
		g := newGateway(t, nil)
		cfg := g.Config
		row.change(&cfg)
		if ring, err := keyring.Open(t.Context(), cfg); !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.message) || ring != nil {
			t.Errorf("%s: got %v, want %v: %s", name, err, row.want, row.message)
		}
		if err := g.Ring.Reconfigure(t.Context(), cfg); !errors.Is(err, row.want) {
			t.Errorf("%s: reconfigured with %v, want %v", name, err, row.want)
		}
		g.MustVerify(t, g.MustIssue(t, g.User(time.Hour)))
	}
}

// TestConfigLimits: the largest and smallest settings are accepted.
func TestConfigLimits(t *testing.T) {
	t.Parallel()
	rsa := must(signing.Generate(signing.RS256))
	for name, change := range map[string]func(*keyring.Config){
		"long issuer":        names(128, 1),
		"long audience":      names(1, 128),
		"eight audiences":    func(c *keyring.Config) { c.Audiences = strings.Split("abcdefgh", "") },
		"issuer is audience": func(c *keyring.Config) { c.Audiences = []string{"a", c.Issuer} },
		"no audience":        func(c *keyring.Config) { c.Audiences = nil },
		"longest EdDSA":      withAlg(signing.EdDSA, names(128, 125)),
		"longest ES256":      withAlg(signing.ES256, names(128, 125)),
		"longest RS256":      withAlg(signing.RS256, func(c *keyring.Config) { c.Key = rsa; names(10, 51)(c) }),
		"longest HS256":      withAlg(signing.HS256, names(128, 128, 24)),
		"shortest access":    func(c *keyring.Config) { c.Access = time.Second },
		"longest access":     func(c *keyring.Config) { c.Access = keyring.MaxAccess },
		"shortest rotation":  func(c *keyring.Config) { c.Rotate = 2 * time.Minute; c.Access = time.Minute },
		"most keys":          func(c *keyring.Config) { c.Rotate, c.Access = 2*time.Minute, 124*time.Minute-90*time.Second-1 },
	} {
		g := newGateway(t, nil)
		cfg := g.Config
		change(&cfg)
		if _, err := keyring.Open(t.Context(), cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestConfigDefaults opens a ring with only the required settings.
func TestConfigDefaults(t *testing.T) {
	t.Parallel()
	before := time.Now()
	ring := must(keyring.Open(t.Context(), keyring.Config{Storage: &tokentest.Storage{}, Box: tokentest.MustBox(t, secret), Issuer: "wxgate", Access: time.Hour}))
	key := ring.Keys()[0]
	if key.Alg != signing.EdDSA || !slices.Equal(key.Audiences, []string{"wxgate"}) || key.CreatedAt.Before(before) || key.CreatedAt.After(time.Now()) {
		t.Errorf("got %+v", key)
	}
}

// TestDefaultRotation: without a setting, a key signs for 30 days, and the next one is
// published 10 minutes before it signs.
func TestDefaultRotation(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	const month = 30 * 24 * time.Hour
	g.Clock.Add(month - 10*time.Minute - 1)
	g.mustTick(t)
	if keys := g.Ring.Keys(); len(keys) != 1 {
		t.Fatalf("too early: %+v", keys)
	}
	g.Clock.Add(1)
	g.mustTick(t)
	keys := g.Ring.Keys()
	if len(keys) != 2 || keys[1].State != keyring.KeyNext || !keys[1].SignsFrom.Equal(start.Add(month)) {
		t.Fatalf("got %+v", keys)
	}
	if want := start.Add(month + time.Hour + 90*time.Second); !keys[0].VerifyUntil.Equal(want) {
		t.Errorf("the first key verifies until %v, want %v", keys[0].VerifyUntil, want)
	}
}

// TestSecretsAreNotPublished: a client that reads an HS256 secret can sign tokens. The
// public keys of a ring that also has a secret are published.
func TestSecretsAreNotPublished(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *keyring.Config) { c.Alg, c.Key = signing.HS256, hmacKey(t, 'h') })
	body, etag := g.Ring.JWKS()
	if string(body) != `{"keys":[]}` {
		t.Errorf("got %s", body)
	}
	g.reconfigure(t, func(c *keyring.Config) { c.Alg, c.Key = signing.ES256, nil })
	both, other := g.Ring.JWKS()
	if len(g.Ring.Keys()) != 2 || len(g.published(t)) != 1 || bytes.Contains(both, []byte(`"oct"`)) || bytes.Contains(both, []byte(`"d"`)) {
		t.Errorf("got %s", both)
	}
	if etag == other {
		t.Error("a different key set has the same entity tag")
	}
}
