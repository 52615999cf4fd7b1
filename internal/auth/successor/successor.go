// Package successor seals the secret that replaces a spent one, so that only the
// holder of the spent secret can read it. The store alone cannot.
package successor

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// Seal encrypts next under a key derived from the spent secret. Each secret is spent once,
// so each key encrypts once and the nonce may be zero. Open needs the same label.
func Seal(spent, next []byte, label string) ([]byte, error) {
	aead, err := newAEAD(spent)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	return aead.Seal(nil, nonce, next, []byte(label)), nil //nolint:gosec // G407: see above
}

// Open is the inverse of Seal.
func Open(spent, sealed []byte, label string) (next []byte, err error) {
	aead, err := newAEAD(spent)
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, make([]byte, aead.NonceSize()), sealed, []byte(label))
}

func newAEAD(spent []byte) (cipher.AEAD, error) {
	const aes256KeyBytes = 32
	key, err := hkdf.Key(sha256.New, spent, nil, "wxgate/v1/refresh-successor", aes256KeyBytes)
	if err != nil {
		return nil, fmt.Errorf("deriving the successor key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making the successor cipher: %w", err)
	}
	return cipher.NewGCM(block)
}
