package signing

import (
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// Alg is a signature algorithm by its JOSE name. Every key has exactly one.
type Alg string

// The supported algorithms.
const (
	EdDSA Alg = "EdDSA" // Ed25519, RFC 8037
	ES256 Alg = "ES256" // ECDSA over P-256
	RS256 Alg = "RS256" // RSA PKCS#1 v1.5, 2048 bits or more
	HS256 Alg = "HS256" // HMAC: every verifier can also sign

	// DefaultAlg is fast, has short signatures and needs no parameters.
	DefaultAlg = EdDSA
)

// ParseAlg accepts exactly the four names; otherwise the error wraps [ErrAlg].
func ParseAlg(s string) (Alg, error) {
	a := Alg(s)
	if a.method() == nil {
		return "", fmt.Errorf("%w: unrecognized %q; expected one of: EdDSA, ES256, RS256, HS256", ErrAlg, s)
	}
	return a, nil
}

// Public reports whether others can verify with a key without being able to sign. Only such
// keys are published, and only such keys sign assertions.
func (a Alg) Public() bool { return a != HS256 && a.method() != nil }

// method returns the implementation in the JWT library; nil for anything but the four
// algorithms, so that "none", in any spelling, never has an implementation.
func (a Alg) method() jwt.SigningMethod {
	switch a {
	case EdDSA:
		return jwt.SigningMethodEdDSA
	case ES256:
		return jwt.SigningMethodES256
	case RS256:
		return jwt.SigningMethodRS256
	case HS256:
		return jwt.SigningMethodHS256
	default:
		return nil
	}
}
