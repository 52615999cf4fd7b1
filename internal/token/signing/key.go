package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// minRSABits is the smallest RSA modulus: 112 bits of strength, NIST SP 800-57.
	minRSABits = 2048
	// newRSABits is the size of the keys made here: a 3072-bit signature alone
	// would take half of a token's KiB.
	newRSABits = 2048
	// minRSAExponent is FIPS 186-5's: smaller ones have a history of forgeries.
	minRSAExponent = 65537
	// minHMACBytes is the shortest HS256 secret, RFC 7518 section 3.2.
	minHMACBytes = 32
)

// Key is a signing key, pinned to one algorithm. Those that only verify lack the
// private part.
type Key struct {
	alg     Alg
	id      auth.KeyID
	private any // what the method signs with; nil when only the public half is known
	public  any // what the method verifies with; for HS256 the secret itself
}

// Alg is the one algorithm that the key is used with.
func (k *Key) Alg() Alg { return k.alg }

// ID is the key's RFC 7638 thumbprint. That of an HS256 secret is a SHA-256 of
// at least 256 unknown bits, which tells no more about it than any token does.
func (k *Key) ID() auth.KeyID { return k.id }

// String keeps keys out of logs.
func (k *Key) String() string { return fmt.Sprintf("%s key %s", k.alg, k.id) }

// Format keeps keys out of logs, whatever verb prints them.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// newKey is the only way to a key: whatever it comes from, it is checked here.
// private is nil for a key that only verifies.
func newKey(alg Alg, private, public any) (*Key, error) {
	if err := checkPublic(alg, public); err != nil {
		return nil, err
	}
	id, err := thumbprint(public)
	if err != nil {
		return nil, err
	}
	return &Key{alg: alg, id: id, private: private, public: public}, nil
}

// checkPublic refuses a key that is not of alg or too weak for it.
func checkPublic(alg Alg, public any) error {
	switch k := public.(type) {
	case ed25519.PublicKey:
		if alg == EdDSA && len(k) == ed25519.PublicKeySize {
			return nil
		}
		return fmt.Errorf("%w: an Ed25519 key cannot sign %s", ErrAlg, alg)
	case *ecdsa.PublicKey:
		if alg != ES256 || k.Curve != elliptic.P256() {
			return fmt.Errorf("%w: an ECDSA key on %s cannot sign %s; ES256 needs P-256", ErrAlg, k.Params().Name, alg)
		}
		// A point off the curve leaks the private key of whoever computes with it.
		if _, err := k.ECDH(); err != nil {
			return fmt.Errorf("%w: the public point is not on P-256", ErrKey)
		}
		return nil
	case *rsa.PublicKey:
		return checkRSA(alg, k)
	case []byte:
		if alg != HS256 {
			return fmt.Errorf("%w: a secret cannot sign %s", ErrAlg, alg)
		}
		if len(k) < minHMACBytes {
			return fmt.Errorf("%w: the HS256 secret has %d bytes, at least %d are needed", ErrWeakKey, len(k), minHMACBytes)
		}
		return nil
	default:
		return fmt.Errorf("%w: keys of type %T are not used here", ErrAlg, public)
	}
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
		return fmt.Errorf("%w: the RSA key comes from a broken generator (CVE-2017-15361) and can be factored; make another", ErrWeakKey)
	}
	return nil
}

// Generate returns a new random key for alg.
func Generate(alg Alg) (*Key, error) {
	switch alg {
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return fromSigner(alg, private, err)
	case ES256:
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		return fromSigner(alg, private, err)
	case RS256:
		private, err := rsa.GenerateKey(rand.Reader, newRSABits)
		return fromSigner(alg, private, err)
	case HS256:
		secret := make([]byte, minHMACBytes)
		_, _ = rand.Read(secret) // never fails: crypto/rand.Read
		return newKey(alg, secret, secret)
	default:
		return nil, fmt.Errorf("%w: %q", ErrAlg, alg)
	}
}

func fromSigner(alg Alg, private crypto.Signer, err error) (*Key, error) {
	if err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	return newKey(alg, private, private.Public())
}

// CanSign reports whether the key has its private half.
func (k *Key) CanSign() bool { return k.private != nil }

// Sign signs text with the key's algorithm. It fails if the key has no private half.
func (k *Key) Sign(text string) ([]byte, error) {
	signature, err := k.alg.method().Sign(text, k.private)
	if err != nil {
		return nil, fmt.Errorf("signing with %s: %w", k.id, err)
	}
	return signature, nil
}

// Verify reports whether signature is the key's signature of text. The key's
// algorithm decides and not the token's header: otherwise a client could sign with
// a public key as the HMAC secret (algorithm confusion).
func (k *Key) Verify(text string, signature []byte) bool {
	return k.alg.method().Verify(text, signature, k.public) == nil
}
