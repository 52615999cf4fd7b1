package token_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

// forger is a gateway with access to its private key: its tokens are refused for their content
// and not for their signature.
type forger struct {
	*gateway
	alg     signing.Alg
	kid     string
	private any
	public  any
}

func methodOf(alg string) jwt.SigningMethod { return jwt.GetSigningMethod(alg) }

// newForger returns a gateway with a key that the test knows.
func newForger(tb testing.TB, alg signing.Alg) *forger {
	tb.Helper()
	f := &forger{alg: alg}
	var text []byte
	switch alg {
	case signing.EdDSA:
		f.private = ed25519.NewKeyFromSeed(bytes.Repeat([]byte("k"), ed25519.SeedSize))
	case signing.ES256:
		f.private = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	case signing.RS256:
		f.private = must(rsa.GenerateKey(rand.Reader, 2048))
	case signing.HS256:
		text = bytes.Repeat([]byte("h"), 32)
		f.private, f.public = text, text
	}
	if signer, ok := f.private.(crypto.Signer); ok {
		f.public = signer.Public()
		text = privatePEM(signer)
	}
	key, err := signing.ParseKey(alg, text)
	if err != nil {
		tb.Fatal(err)
	}
	f.gateway = newGateway(tb, func(c *keyring.Config) { c.Alg, c.Key = alg, key })
	f.kid = string(key.ID())
	return f
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func privatePEM(key any) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))})
}

func publicPEM(key any) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key))})
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// header returns a valid header, with more JSON after its members.
func (f *forger) header(more string) string {
	return fmt.Sprintf(`{"alg":%q,"typ":"at+jwt","kid":%q%s}`, f.alg, f.kid, more)
}

// sign signs any header and payload with the real key.
func (f *forger) sign(header, payload string) string {
	return signWith(string(f.alg), f.private, header, payload)
}

func signWith(alg string, key any, header, payload string) string {
	signed := b64(header) + "." + b64(payload)
	return signed + "." + b64(string(must(methodOf(alg).Sign(signed, key))))
}

// session started at start. It is the same in every process of a fuzzer.
const session = "AaD3VfIAvMA4X-lPryJ5SQ"

// validClaims returns the claims of a valid token, in order.
func validClaims() [][2]string {
	now := start.Unix()
	return [][2]string{
		{"iss", `"wxgate"`},
		{"sub", `"oGZUI0egBJY1zhBYw2KhdUfwVJJE"`},
		{"aud", `"wxgate"`},
		{"exp", fmt.Sprint(now + 3600)},
		{"iat", fmt.Sprint(now)},
		{"nbf", fmt.Sprint(now)},
		{"jti", `"kbdtdZOvxVq7sDNW2Er9Gg"`},
		{"client_id", `"wx4f4bc4dec97d474b"`},
		{"sid", `"` + session + `"`},
	}
}

// payload returns the valid claims with one replaced or added, or removed if value
// is "".
func payload(name, value string) string {
	var members []string
	found := false
	for _, c := range validClaims() {
		if c[0] == name {
			found = true
			if value == "" {
				continue
			}
			c[1] = value
		}
		members = append(members, `"`+c[0]+`":`+c[1])
	}
	if !found && name != "" {
		members = append(members, `"`+name+`":`+value)
	}
	return "{" + strings.Join(members, ",") + "}"
}
