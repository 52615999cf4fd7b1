package token_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

// readAssertion verifies an assertion as an upstream does, with only the key set.
func readAssertion(t *testing.T, g *gateway, alg signing.Alg, raw string) (jwt.Claims, string) {
	t.Helper()
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	body, _ := g.Ring.JWKS()
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := parsed.Claims(set, &claims); err != nil {
		t.Fatal(err)
	}
	typ, _ := parsed.Headers[0].ExtraHeaders["typ"].(string)
	return claims, typ
}

func TestAssertion(t *testing.T) {
	t.Parallel()
	for _, alg := range []signing.Alg{signing.EdDSA, signing.ES256, signing.RS256} {
		g := newGateway(t, func(c *keyring.Config) { c.Alg = alg })
		access := g.MustIssue(t, g.User(time.Hour))
		id := g.MustVerify(t, access)
		raw, err := g.IssueAssertion(id, "orders")
		if err != nil {
			t.Fatal(err)
		}
		claims, typ := readAssertion(t, g, alg, raw)
		if typ != "wx-assertion+jwt" || claims.ID == "" || claims.ID == id.TokenID {
			t.Errorf("%s: typ %s, jti %s", alg, typ, claims.ID)
		}
		want := jwt.Expected{Issuer: "wxgate", Subject: string(id.OpenID), AnyAudience: jwt.Audience{"orders"}, Time: start}
		if err := claims.ValidateWithLeeway(want, 0); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		if life := claims.Expiry.Time().Sub(claims.IssuedAt.Time()); life > token.AssertionLife {
			t.Errorf("%s: lifetime %s", alg, life)
		}
		g.mustRefuse(t, raw, token.RuleType) // it is not an access token
		claims, typ = readAssertion(t, g, alg, access)
		if err := claims.ValidateWithLeeway(want, 0); err == nil || typ == "wx-assertion+jwt" {
			t.Errorf("%s: an access token is accepted as an assertion", alg)
		}
	}
}

// TestAssertionEndsWithItsToken: an assertion does not outlive its access token.
func TestAssertionEndsWithItsToken(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	id := g.MustVerify(t, g.MustIssue(t, g.User(10*time.Second)))
	raw, err := g.IssueAssertion(id, "orders")
	if err != nil {
		t.Fatal(err)
	}
	if claims, _ := readAssertion(t, g, signing.EdDSA, raw); !claims.Expiry.Time().Equal(id.Expires) {
		t.Errorf("ends at %s, its token at %s", claims.Expiry.Time(), id.Expires)
	}
}

func TestAssertionRefused(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("a", keyring.MaxNameBytes)
	for name, row := range map[string]struct {
		change   func(*keyring.Config)
		audience string
		message  string
	}{
		"HS256":                     {func(c *keyring.Config) { c.Alg = signing.HS256 }, "orders", "every verifier of HS256 can also sign"},
		"no audience":               {nil, "", "an audience of 1 to 128 bytes is needed"},
		"long audience":             {nil, longest + "a", "an audience of 1 to 128 bytes is needed"},
		"audience of access tokens": {nil, "wxgate", `access tokens have the audience "wxgate" too`},
		"one of several":            {func(c *keyring.Config) { c.Audiences = []string{"a", "b"} }, "b", `the audience "b" too`},
	} {
		g := newGateway(t, row.change)
		id := g.MustVerify(t, g.MustIssue(t, g.User(time.Hour)))
		if raw, err := g.IssueAssertion(id, row.audience); !errors.Is(err, token.ErrAssertion) || !strings.Contains(err.Error(), row.message) || raw != "" {
			t.Errorf("%s: got %v, want ErrAssertion: %s", name, err, row.message)
		}
	}
	g := newGateway(t, nil)
	id := g.MustVerify(t, g.MustIssue(t, g.User(time.Hour)))
	if _, err := g.IssueAssertion(id, longest); err != nil {
		t.Errorf("the longest audience: %v", err)
	}
}
