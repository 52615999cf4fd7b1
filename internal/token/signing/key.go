package signing

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
)

// newRSABits is the size of generated RSA keys. A 3072-bit signature alone would
// take half of the KiB that a token may have.
const newRSABits = 2048

// Key is a signing key with its algorithm. A key that can only verify has no
// private half. Keys never change.
type Key struct {
	alg     Alg
	id      auth.KeyID
	private any // for signing with the JWT library; nil if only the public half is known
	public  any // for verifying with the JWT library; for HS256 the secret itself
	jwk     jwk
}

// Alg returns the one algorithm that the key is used with.
func (k *Key) Alg() Alg { return k.alg }

// ID returns the key's RFC 7638 thumbprint. For an HS256 secret it is a SHA-256 of at least 256
// unknown bits, which reveals no more about the secret than a token does.
func (k *Key) ID() auth.KeyID { return k.id }

// String keeps keys out of logs.
func (k *Key) String() string { return fmt.Sprintf("%s key %s", k.alg, k.id) }

// Format keeps keys out of logs, for every verb of package fmt.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// newKey checks a key and returns it as a [Key]. Every Key is created here. private is nil for
// a key that can only verify.
func newKey(alg Alg, private, public any) (*Key, error) {
	j, err := newJWK(alg, public)
	if err != nil {
		return nil, err
	}
	id, err := j.thumbprint()
	if err != nil {
		return nil, err
	}
	return &Key{alg: alg, id: id, private: private, public: public, jwk: j}, nil
}

// Generate returns a new random key for alg.
func Generate(alg Alg) (*Key, error) {
	var private any
	var err error
	switch alg {
	case EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RS256:
		private, err = rsa.GenerateKey(rand.Reader, newRSABits)
	case HS256:
		secret := make([]byte, minHMACBytes)
		_, _ = rand.Read(secret) // never fails: crypto/rand.Read
		return newKey(alg, secret, secret)
	default:
		return nil, fmt.Errorf("%w: %q", ErrAlg, alg)
	}
	if err != nil {
		return nil, fmt.Errorf("generating a signing key: %w", err)
	}
	return newSigner(alg, private)
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

// Verify reports whether signature is the key's signature of text. It uses the key's algorithm
// and not that of the token's header: otherwise a client could sign with the public key as an
// HMAC secret (algorithm confusion).
func (k *Key) Verify(text string, signature []byte) bool {
	return k.alg.method().Verify(text, signature, k.public) == nil
}
