package signing

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
)

const (
	// minRSABits is the smallest RSA modulus: 112 bits of strength, NIST SP 800-57.
	minRSABits = 2048
	// minRSAExponent is FIPS 186-5's minimum: signatures with smaller exponents
	// have been forged.
	minRSAExponent = 65537
	// minHMACBytes is the shortest HS256 secret, RFC 7518 section 3.2.
	minHMACBytes = 32
	// coordinateBytes is the length of each coordinate of a point on P-256.
	coordinateBytes = 32
)

func checkEd25519(alg Alg, k ed25519.PublicKey) error {
	if alg != EdDSA {
		return fmt.Errorf("%w: an Ed25519 key cannot sign %s", ErrAlg, alg)
	}
	if len(k) != ed25519.PublicKeySize {
		return fmt.Errorf("%w: the Ed25519 key has %d bytes instead of %d", ErrKey, len(k), ed25519.PublicKeySize)
	}
	return nil
}

// checkECDSA returns the coordinates of the public point. It refuses a point that is not on the
// curve: computations with such a point leak bits of the private key (invalid curve attack).
func checkECDSA(alg Alg, k *ecdsa.PublicKey) ([]byte, error) {
	if alg != ES256 || k.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: an ECDSA key on %s cannot sign %s; ES256 needs P-256", ErrAlg, k.Params().Name, alg)
	}
	point, err := k.ECDH()
	if err != nil {
		return nil, fmt.Errorf("%w: the public point is not on P-256", ErrKey)
	}
	return point.Bytes()[1:], nil // the first byte marks an uncompressed point
}

func checkRSA(alg Alg, k *rsa.PublicKey) error {
	if alg != RS256 {
		return fmt.Errorf("%w: an RSA key cannot sign %s", ErrAlg, alg)
	}
	if bits := k.N.BitLen(); bits < minRSABits {
		return fmt.Errorf("%w: the RSA key has %d bits, at least %d are needed", ErrWeakKey, bits, minRSABits)
	}
	if k.E < minRSAExponent || k.E%2 == 0 {
		return fmt.Errorf("%w: the RSA key's public exponent is %d; use 65537", ErrWeakKey, k.E)
	}
	if factorable(k.N) {
		return fmt.Errorf("%w: the RSA key comes from a broken generator (CVE-2017-15361) and can be factored; generate another", ErrWeakKey)
	}
	return nil
}

func checkSecret(alg Alg, secret []byte) error {
	if alg != HS256 {
		return fmt.Errorf("%w: a secret cannot sign %s", ErrAlg, alg)
	}
	if len(secret) < minHMACBytes {
		return fmt.Errorf("%w: the HS256 secret has %d bytes, at least %d are needed", ErrWeakKey, len(secret), minHMACBytes)
	}
	return nil
}
