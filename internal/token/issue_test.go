package token_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgs {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(c *keyring.Config) { c.Alg = alg; c.Audiences = []string{"shop", "forum"} })
			want := g.User(time.Hour)
			want.Dev = alg == signing.EdDSA
			raw := g.MustIssue(t, want)
			got := *g.MustVerify(t, raw)
			if got.TokenID == "" || got.Pseudonym == "" || got.Key != g.Ring.Keys()[0].ID {
				t.Errorf("token id %q, pseudonym %q, key %q", got.TokenID, got.Pseudonym, got.Key)
			}
			if !got.IssuedAt.Equal(want.IssuedAt) || !got.Expires.Equal(want.Expires) {
				t.Errorf("valid from %s to %s", got.IssuedAt, got.Expires)
			}
			want.TokenID, want.Pseudonym, want.Key = got.TokenID, got.Pseudonym, got.Key
			want.IssuedAt, want.Expires = got.IssuedAt, got.Expires
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// TestAnotherLibrary verifies tokens with go-jose and only the key set.
func TestAnotherLibrary(t *testing.T) {
	t.Parallel()
	for _, alg := range []signing.Alg{signing.EdDSA, signing.ES256, signing.RS256} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(c *keyring.Config) { c.Alg = alg })
			parsed, err := jwt.ParseSigned(g.MustIssue(t, g.User(time.Hour)), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Fatal(err)
			}
			var set jose.JSONWebKeySet
			body, etag := g.Ring.JWKS()
			if err := json.Unmarshal(body, &set); err != nil {
				t.Fatal(err)
			}
			if etag == "" || len(set.Keys) != 1 || set.Keys[0].Use != "sig" || !set.Keys[0].IsPublic() {
				t.Fatalf("key set %s, tag %s", body, etag)
			}
			thumb, err := set.Keys[0].Thumbprint(5) // crypto.SHA256
			if err != nil || base64.RawURLEncoding.EncodeToString(thumb) != set.Keys[0].KeyID {
				t.Errorf("kid %s is not the thumbprint: %v", set.Keys[0].KeyID, err)
			}
			var claims jwt.Claims
			if err := parsed.Claims(set, &claims); err != nil {
				t.Fatal(err)
			}
			want := jwt.Expected{Issuer: "wxgate", Subject: "oGZUI0egBJY1zhBYw2KhdUfwVJJE", AnyAudience: jwt.Audience{"wxgate"}, Time: start}
			if err := claims.Validate(want); err != nil {
				t.Error(err)
			}
			if typ := parsed.Headers[0].ExtraHeaders["typ"]; typ != "at+jwt" {
				t.Errorf("typ %v", typ)
			}
		})
	}
}

// TestClaims reads a token as an upstream does, and checks that it contains no phone number.
func TestClaims(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	raw := g.MustIssue(t, g.User(time.Hour))
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"iss": "wxgate", "aud": "wxgate", "sub": "oGZUI0egBJY1zhBYw2KhdUfwVJJE", "client_id": "wx4f4bc4dec97d474b",
		"unionid": "ocMvos6NjeKLIBqg5Mr9QjxrP1FA", "phone_number_verified": true,
		"iat": float64(start.Unix()), "nbf": float64(start.Unix()), "exp": float64(start.Add(time.Hour).Unix()),
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if strings.Contains(string(payload), "10000138000") {
		t.Error("the phone number is readable")
	}
	if len(claims) != 12 {
		t.Errorf("%d claims: %s", len(claims), payload)
	}
}

func TestTokenLength(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 64)
	for _, alg := range allAlgs {
		g := newGateway(t, func(c *keyring.Config) {
			c.Alg, c.Issuer, c.Audiences = alg, "https://id.example.com", []string{"shop.example.com", "forum.example.com"}
			if alg == signing.RS256 {
				c.Issuer, c.Audiences = "wxgate", nil
			}
		})
		id := g.User(time.Hour)
		if alg != signing.RS256 {
			id.App, id.OpenID, id.UnionID = auth.AppID(long), auth.OpenID(long), auth.UnionID(long)
		}
		raw := g.MustIssue(t, id)
		t.Logf("%s: %d bytes", alg, len(raw))
		if len(raw) > keyring.MaxTokenBytes {
			t.Errorf("%s: %d bytes, at most %d", alg, len(raw), keyring.MaxTokenBytes)
		}
	}
}

func TestIssueRefuses(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	for name, row := range map[string]struct {
		change  func(*auth.Identity)
		message string
	}{
		"no openid":       {func(id *auth.Identity) { id.OpenID = "" }, "openid, appid or unionid"},
		"openid with dot": {func(id *auth.Identity) { id.OpenID = "a.b" }, "openid, appid or unionid"},
		"long appid":      {func(id *auth.Identity) { id.App = auth.AppID(strings.Repeat("a", 65)) }, "openid, appid or unionid"},
		"unionid newline": {func(id *auth.Identity) { id.UnionID = "a\n" }, "openid, appid or unionid"},
		"no session":      {func(id *auth.Identity) { id.Session = "" }, "the session id is malformed"},
		"phone words":     {func(id *auth.Identity) { id.Phone = "+86 secret" }, "the phone number is not + and digits"},
		"phone no plus":   {func(id *auth.Identity) { id.Phone = "10000138000" }, "the phone number is not + and digits"},
		"phone no digits": {func(id *auth.Identity) { id.Phone = "+" }, "the phone number is not + and digits"},
		"phone too long":  {func(id *auth.Identity) { id.Phone = "+" + strings.Repeat("1", 32) }, "the phone number is not + and digits"},
		"risk of 5":       {func(id *auth.Identity) { id.Risk = auth.MaxRiskRank + 2 }, "the risk is not a rank"},
		"too long a life": {func(id *auth.Identity) { id.Expires = id.Expires.Add(1) }, "lifetime 1h0m0.000000001s, the ring allows up to 1h0m0s"},
		"ends first":      {func(id *auth.Identity) { id.Expires = id.IssuedAt.Add(-1) }, "lifetime -1ns"},
		"zero time":       {func(id *auth.Identity) { id.IssuedAt, id.Expires = time.Time{}, time.Time{} }, "lifetime 0s"},
		"1970":            {func(id *auth.Identity) { id.IssuedAt, id.Expires = time.Unix(0, 0), time.Unix(1, 0) }, "lifetime 1s"},
	} {
		id := g.User(time.Hour)
		row.change(&id)
		if raw, err := g.Issue(id); !errors.Is(err, token.ErrIdentity) || !strings.Contains(err.Error(), row.message) || raw != "" {
			t.Errorf("%s: got %v, want ErrIdentity: %s", name, err, row.message)
		}
	}
}

// TestIssueAccepts: a token is issued for each extreme identity.
func TestIssueAccepts(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	for name, change := range map[string]func(*auth.Identity){
		"no unionid":       func(id *auth.Identity) { id.UnionID = "" },
		"no phone":         func(id *auth.Identity) { id.Phone = "" },
		"longest phone":    func(id *auth.Identity) { id.Phone = "+" + strings.Repeat("1", 31) },
		"shortest phone":   func(id *auth.Identity) { id.Phone = "+1" },
		"expires at once":  func(id *auth.Identity) { id.Expires = id.IssuedAt },
		"longest lifetime": func(id *auth.Identity) { id.Expires = id.IssuedAt.Add(time.Hour) },
		"earliest":         func(id *auth.Identity) { id.IssuedAt, id.Expires = time.Unix(1, 0), time.Unix(2, 0) },
	} {
		id := g.User(time.Hour)
		change(&id)
		if _, err := g.Issue(id); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRisk: a token carries the risk, with or without a phone number. Neither its content nor its
// length reveals them to a reader; the names of its claims reveal only that there is a risk.
func TestRisk(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	verified := map[string]any{"": nil, "+8610000138000": true}
	for phone := range verified {
		id := g.User(time.Hour)
		id.Phone = phone
		length := map[bool]int{}
		for risk := auth.Risk(0); risk <= auth.MaxRiskRank+1; risk++ {
			id.Risk = risk
			raw := g.MustIssue(t, id)
			if got := g.MustVerify(t, raw); got.Risk != risk || got.Phone != phone {
				t.Errorf("risk %s and phone %q were read as %s and %q", risk, phone, got.Risk, got.Phone)
			}
			payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
			if err != nil {
				t.Fatal(err)
			}
			var claims map[string]any
			if err := json.Unmarshal(payload, &claims); err != nil {
				t.Fatal(err)
			}
			ranked := risk != 0
			if _, found := claims["rnk"]; found != ranked || claims["phone_number_verified"] != verified[phone] {
				t.Errorf("risk %s, phone %q: %s", risk, phone, payload)
			}
			if want, ok := length[ranked]; ok && len(raw) != want {
				t.Errorf("risk %s, phone %q: %d bytes, others have %d", risk, phone, len(raw), want)
			}
			length[ranked] = len(raw)
		}
		if phone != "" && length[true] != length[false] {
			t.Errorf("%d bytes with a risk, %d without: package keyring counts the phone number only", length[true], length[false])
		}
	}
}

// TestDevClaim: the tokens of a minted session have the claim dev, and so do its assertions, for
// the upstreams that verify them. No other token has the claim.
func TestDevClaim(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	for _, dev := range []bool{true, false} {
		id := g.User(time.Hour)
		id.Dev = dev
		access := g.MustIssue(t, id)
		assertion, err := g.IssueAssertion(g.MustVerify(t, access), "orders")
		if err != nil {
			t.Fatal(err)
		}
		for typ, raw := range map[string]string{"access token": access, "assertion": assertion} {
			payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
			if err != nil {
				t.Fatal(err)
			}
			var claims struct {
				Dev *bool `json:"dev"`
			}
			if err := json.Unmarshal(payload, &claims); err != nil {
				t.Fatal(err)
			}
			if has := claims.Dev != nil; has != dev || has && !*claims.Dev {
				t.Errorf("%s of a session with dev %t: %s", typ, dev, payload)
			}
		}
	}
}
