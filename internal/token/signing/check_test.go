package signing

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"math/big"
	"strings"
	"testing"
)

// modulus returns an odd number with the given number of bits.
func modulus(bits uint) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return n.Add(n, big.NewInt(12345))
}

// rocaModulus returns a number that is a power of 65537 modulo each of rocaPrimes. difference
// changes it only modulo 11.
func rocaModulus(exponent, difference int64) *big.Int {
	product := big.NewInt(1)
	for _, p := range rocaPrimes {
		product.Mul(product, big.NewInt(p))
	}
	n := new(big.Int).Exp(big.NewInt(65537), big.NewInt(exponent), product)
	n.Add(n, new(big.Int).Lsh(product, 2048))
	return n.Add(n, new(big.Int).Mul(big.NewInt(difference), new(big.Int).Div(product, big.NewInt(11))))
}

// TestCheck checks keys that Go's parsers do not return.
func TestCheck(t *testing.T) {
	t.Parallel()
	offCurve := &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)} //nolint:staticcheck // no other way to a point off the curve
	for name, row := range map[string]struct {
		alg     Alg
		public  any
		want    error
		message string
	}{
		"RSA, smallest":         {RS256, &rsa.PublicKey{N: modulus(2048), E: 65537}, nil, ""},
		"RSA, one bit less":     {RS256, &rsa.PublicKey{N: modulus(2047), E: 65537}, ErrWeakKey, "the RSA key has 2047 bits, at least 2048 are needed"},
		"RSA, odd exponent":     {RS256, &rsa.PublicKey{N: modulus(2048), E: 65539}, nil, ""},
		"RSA, even exponent":    {RS256, &rsa.PublicKey{N: modulus(2048), E: 65538}, ErrWeakKey, "exponent is 65538"},
		"RSA, small exponent":   {RS256, &rsa.PublicKey{N: modulus(2048), E: 65535}, ErrWeakKey, "exponent is 65535"},
		"RSA for another alg":   {HS256, &rsa.PublicKey{N: modulus(2048), E: 65537}, ErrAlg, "an RSA key cannot sign HS256"},
		"ROCA":                  {RS256, &rsa.PublicKey{N: rocaModulus(12345, 0), E: 65537}, ErrWeakKey, "CVE-2017-15361"},
		"ROCA, the power 0":     {RS256, &rsa.PublicKey{N: rocaModulus(0, 0), E: 65537}, ErrWeakKey, "CVE-2017-15361"},
		"not ROCA, one prime":   {RS256, &rsa.PublicKey{N: rocaModulus(12345, notAPower(t)), E: 65537}, nil, ""},
		"Ed25519, short":        {EdDSA, make(ed25519.PublicKey, 31), ErrKey, "the Ed25519 key has 31 bytes instead of 32"},
		"Ed25519":               {EdDSA, make(ed25519.PublicKey, 32), nil, ""},
		"P-256, off the curve":  {ES256, offCurve, ErrKey, "the public point is not on P-256"},
		"secret for public alg": {EdDSA, make([]byte, 32), ErrAlg, "a secret cannot sign EdDSA"},
		"secret, shortest":      {HS256, make([]byte, 32), nil, ""},
		"another type":          {EdDSA, "key", ErrAlg, "keys of type string are not used here"},
	} {
		key, err := newKey(row.alg, nil, row.public)
		if !errors.Is(err, row.want) || (key != nil) != (row.want == nil) {
			t.Errorf("%s: got %v, %v, want %v", name, key, err, row.want)
		}
		if err != nil && !strings.Contains(err.Error(), row.message) {
			t.Errorf("%s: got %v, want %s", name, err, row.message)
		}
		if key != nil && key.CanSign() {
			t.Errorf("%s: signs without a private half", name)
		}
	}
}

// notAPower returns a difference with which [rocaModulus] is not a power modulo 11 only.
func notAPower(t *testing.T) int64 {
	t.Helper()
	for d := range int64(11) {
		if !isPowerOf65537(new(big.Int).Mod(rocaModulus(12345, d), big.NewInt(11)).Int64(), 11) {
			return d
		}
	}
	t.Fatal("65537 generates all numbers modulo 11")
	return 0
}
