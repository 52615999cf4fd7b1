package token_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

var aPush = token.Push{ID: "LXMF2QNB5GWUAHX7TUOQWN2E4A", Audience: "https://orders.example.com/push", App: "wx4f4bc4dec97d474b", OpenID: "o1", Body: []byte(`{"MsgType":"text"}`)}

// TestPush: a service verifies the assertion of a push with the published keys. The assertion is
// neither an access token nor an assertion of a client.
func TestPush(t *testing.T) {
	t.Parallel()
	for _, alg := range []signing.Alg{signing.EdDSA, signing.ES256, signing.RS256} {
		g := newGateway(t, func(c *keyring.Config) { c.Alg = alg })
		raw, err := g.IssuePush(&aPush)
		if err != nil {
			t.Fatal(err)
		}
		claims, typ := readAssertion(t, g, alg, raw)
		want := jwt.Expected{Issuer: "wxgate", Subject: "o1", AnyAudience: jwt.Audience{aPush.Audience}, ID: aPush.ID, Time: start}
		if err := claims.ValidateWithLeeway(want, 0); err != nil || typ != "wx-push+jwt" {
			t.Errorf("%s: typ %s, %v", alg, typ, err)
		}
		if life := claims.Expiry.Time().Sub(claims.IssuedAt.Time()); life != time.Minute {
			t.Errorf("%s: lifetime %s", alg, life)
		}
		g.mustRefuse(t, raw, token.RuleType)

		var all map[string]any
		payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
		if err := json.Unmarshal(payload, &all); err != nil {
			t.Fatal(err)
		}
		names := []string{"aud", "body_sha256", "client_id", "exp", "iat", "iss", "jti", "sub"}
		if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, names) {
			t.Errorf("%s: claims %v", alg, got)
		}
		if sum := sha256.Sum256(aPush.Body); all["body_sha256"] != base64.RawURLEncoding.EncodeToString(sum[:]) || all["client_id"] != string(aPush.App) {
			t.Errorf("%s: %v", alg, all)
		}
	}
}

// TestPushRefused: an assertion is refused if the service could sign it itself, or if it has the
// audience of access tokens.
func TestPushRefused(t *testing.T) {
	t.Parallel()
	shared := newGateway(t, func(c *keyring.Config) { c.Alg = signing.HS256 })
	if _, err := shared.IssuePush(&aPush); !errors.Is(err, token.ErrAssertion) {
		t.Errorf("HS256: %v", err)
	}
	g := newGateway(t, nil)
	for _, audience := range []string{"", "wxgate", strings.Repeat("x", keyring.MaxNameBytes+1)} {
		p := aPush
		p.Audience = audience
		if _, err := g.IssuePush(&p); !errors.Is(err, token.ErrAssertion) {
			t.Errorf("audience %q: %v", audience, err)
		}
	}
}
