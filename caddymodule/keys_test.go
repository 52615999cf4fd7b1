package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// tokenClaims are the claims of an access token, as a service reads them with a JWT library.
type tokenClaims struct {
	jwt.Claims

	ClientID string `json:"client_id"`
	Session  string `json:"sid"`
	UnionID  string `json:"unionid"`
	Phone    bool   `json:"phone_number_verified"`
}

const hmacSecret = "an-hs256-secret-that-has-enough-bytes"

// keySite is [site] with a token block.
func keySite(options string) string {
	return siteWith{wxgate: block("token", options)}.String()
}

// TestJWKS verifies tokens of every algorithm, with generated and configured keys, also after a
// restart. It uses a third-party JWT library and the keys that the gateway publishes.
func TestJWKS(t *testing.T) {
	for _, tc := range []struct {
		name, options, alg, key, kty string
	}{
		{"default", "access 1h", "EdDSA", "", "OKP"},
		{"EdDSA configured", "key {env.WXGATE_TEST_KEY}", "EdDSA", pemKey(t, "EdDSA"), "OKP"},
		{"ES256", "alg ES256", "ES256", "", "EC"},
		{"ES256 configured", "alg ES256\n\t\t\tkey {env.WXGATE_TEST_KEY}", "ES256", pemKey(t, "ES256"), "EC"},
		{"RS256", "alg RS256", "RS256", "", "RSA"},
		{"RS256 configured", "alg RS256\n\t\t\tkey {env.WXGATE_TEST_KEY}", "RS256", pemKey(t, "RS256"), "RSA"},
		{"HS256", "alg HS256", "HS256", "", ""},
		{"HS256 configured", "alg HS256\n\t\t\tkey {env.WXGATE_TEST_KEY}", "HS256", hmacSecret, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("WXGATE_TEST_KEY", tc.key)
			f := newFixture(t, keySite(tc.options+"\n\t\t\tissuer https://login.example.com\n\t\t\taudience orders invoices"))
			before := f.login("alice")
			f.wantVerified(before, tc.alg, tc.kty, tc.key)
			f.stop()
			f.load()
			f.do("GET", "/orders", "", "Authorization", "Bearer "+before.str(t, "access_token")).want(t, http.StatusOK, "")
			f.wantVerified(before, tc.alg, tc.kty, tc.key)
			after := f.do("POST", pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, before.str(t, "refresh_token")))
			after.want(t, http.StatusOK, "")
			f.wantVerified(after, tc.alg, tc.kty, tc.key)
		})
	}
}

// wantVerified verifies the access token of a response with the published keys.
func (f *fixture) wantVerified(a response, alg, kty, secret string) {
	t := f.t.(*testing.T)
	t.Helper()
	published := f.do("GET", "/.well-known/jwks.json", "")
	published.want(t, http.StatusOK, "")
	if got := published.header.Get("Cache-Control"); !strings.HasPrefix(got, "public, max-age=") {
		t.Errorf("Cache-Control of the keys: %q", got)
	}
	again := f.do("GET", "/.well-known/jwks.json", "", "If-None-Match", published.header.Get("ETag"))
	if again.status != http.StatusNotModified || again.body != "" {
		t.Errorf("unchanged keys: %d %q", again.status, again.body)
	}
	if strings.Contains(published.body, `"d"`) || strings.Contains(published.body, `"k"`) {
		t.Fatalf("a private key is published: %s", published.body)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(published.body), &set); err != nil {
		t.Fatal(err)
	}
	token, err := jwt.ParseSigned(a.str(t, "access_token"), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatal(err)
	}
	header := token.Headers[0]
	if header.ExtraHeaders[jose.HeaderType] != "at+jwt" {
		t.Errorf("typ %v", header.ExtraHeaders[jose.HeaderType])
	}
	var key any = []byte(secret)
	if kty == "" { // HS256 keys are not published: they could also sign
		if len(set.Keys) != 0 {
			t.Errorf("keys are published: %s", published.body)
		}
	} else {
		keys := set.Key(header.KeyID)
		if len(keys) != 1 || keys[0].Algorithm != alg || keys[0].Use != "sig" || !strings.Contains(published.body, `"kty":"`+kty+`"`) {
			t.Fatalf("kid %q in %s", header.KeyID, published.body)
		}
		key = keys[0]
	}
	var claims tokenClaims
	if secret == "" && kty == "" { // a generated secret, which only the gateway has
		if err := token.UnsafeClaimsWithoutVerification(&claims); err != nil {
			t.Fatal(err)
		}
	} else if err := token.Claims(key, &claims); err != nil {
		t.Fatalf("the signature does not verify: %v", err)
	}
	if err := claims.ValidateWithLeeway(jwt.Expected{Issuer: "https://login.example.com", AnyAudience: jwt.Audience{"orders"}, Subject: wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice"), Time: time.Now()}, time.Second); err != nil {
		t.Error(err)
	}
	if claims.ClientID != wechatsim.DefaultApp.ID || claims.Session == "" || claims.ID == "" || len(claims.Audience) != 2 {
		t.Errorf("claims %+v", claims)
	}
	if n := len(a.str(t, "access_token")); n > 1<<10 {
		t.Errorf("the token has %d bytes", n)
	}
}

// TestAlgChange changes the algorithm with a reload: old tokens remain valid, new tokens use
// the new algorithm, and both keys are published.
func TestAlgChange(t *testing.T) {
	f := newFixture(t, keySite("alg EdDSA"))
	old := f.token("alice")
	f.config = keySite("alg ES256")
	f.load()
	f.do("GET", "/orders", "", "Authorization", "Bearer "+old).want(t, http.StatusOK, "")
	fresh := f.token("alice")
	f.do("GET", "/orders", "", "Authorization", "Bearer "+fresh).want(t, http.StatusOK, "")
	parsed, err := jwt.ParseSigned(fresh, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(f.do("GET", "/.well-known/jwks.json", "").body), &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 2 || len(set.Key(parsed.Headers[0].KeyID)) != 1 {
		t.Errorf("%d keys are published, want the old and the new", len(set.Keys))
	}
}

// TestAssertion: an upstream can verify the assertion header with the published keys. Its
// audience is the upstream only.
func TestAssertion(t *testing.T) {
	f := newFixture(t, directiveSite("\t\theaders {\n\t\t\tassertion X-Proof orders\n\t\t}", ""))
	login := f.login("alice")
	f.do("GET", "/orders", "", "Authorization", "Bearer "+login.str(t, "access_token")).want(t, http.StatusOK, "")
	proof := f.upstream.last(t).Header.Get("X-Proof")
	parsed, err := jwt.ParseSigned(proof, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(f.do("GET", "/.well-known/jwks.json", "").body), &set); err != nil {
		t.Fatal(err)
	}
	var claims tokenClaims
	if err := parsed.Claims(set.Key(parsed.Headers[0].KeyID)[0], &claims); err != nil {
		t.Fatal(err)
	}
	if err := claims.Validate(jwt.Expected{Issuer: "wxgate", AnyAudience: jwt.Audience{"orders"}, Subject: login.str(t, "openId")}); err != nil {
		t.Error(err)
	}
	if life := claims.Expiry.Time().Sub(claims.IssuedAt.Time()); life > time.Minute {
		t.Errorf("the assertion is valid for %s", life)
	}
	// An assertion is not accepted as an access token, although the same key signs both.
	f.do("GET", "/orders", "", "Authorization", "Bearer "+proof).want(t, http.StatusUnauthorized, "invalid_token")
}
