// Package seal encrypts what wxgate stores or gives to clients: stored session keys and signing
// keys, and the handles of clients. The security of all of them depends on the root secret.
//
// A sealed value names the secret that sealed it, so that the root secret can be rotated: the
// newest secret seals, and every configured secret opens.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
)

// MinSecretBytes is the shortest root secret: 256 bits, as strong as the ciphers
// keyed with it.
const MinSecretBytes = 32

// A sealed value is
//
//	version (1) | id of the root secret (4) | salt (16) | nonce (12) | AES-256-GCM
//
// The key of a value is derived from the root secret, the purpose and the salt. One key seals
// at most [maxUses] values of one process: random 96-bit nonces limit a key to 2^32 values
// (NIST SP 800-38D section 8.3), which a busy gateway seals in a year.
const (
	version     = 1
	idBytes     = 4
	saltBytes   = 16
	nonceBytes  = 12
	headerBytes = 1 + idBytes + saltBytes + nonceBytes
	keyBytes    = 32 // AES-256

	// Overhead is how much longer, in bytes, a sealed value is than the plaintext.
	Overhead = headerBytes + 16
)

var (
	// ErrShortSecret means that a root secret is shorter than [MinSecretBytes].
	ErrShortSecret = errors.New("the root secret is too short")
	// ErrUnknownSecret means that a value was sealed with a root secret that is not configured.
	ErrUnknownSecret = errors.New("sealed with another root secret")
	// ErrUnreadable means that a value was not sealed here, for this purpose and these
	// associated data, or was changed later.
	ErrUnreadable = errors.New("not a sealed value")
)

// Box seals and opens with its root secrets. It is safe for concurrent use.
type Box struct {
	secrets []secret // newest first
	keys    keys
}

type secret struct {
	id      [idBytes]byte
	value   []byte
	macKeys *sync.Map // by purpose; purposes are constants of this program
}

// New returns a box with the given root secrets, newest first. The error wraps
// [ErrShortSecret] if there is none or one is too short.
func New(secrets ...[]byte) (*Box, error) {
	if len(secrets) == 0 {
		return nil, fmt.Errorf("%w: none given", ErrShortSecret)
	}
	b := &Box{}
	for i, value := range secrets {
		if len(value) < MinSecretBytes {
			return nil, fmt.Errorf("%w: secret %d has %d bytes, at least %d are needed", ErrShortSecret, i+1, len(value), MinSecretBytes)
		}
		s := secret{value: append([]byte(nil), value...), macKeys: new(sync.Map)}
		copy(s.id[:], label(value, "id"))
		b.secrets = append(b.secrets, s)
	}
	return b, nil
}

// ID identifies the newest root secret without revealing it, so that replicas can check whether
// they share it.
func (b *Box) ID() string { return hex.EncodeToString(b.secrets[0].id[:]) }

// Seal encrypts plaintext for a purpose. Opening requires the same purpose and associated data:
// a value that is moved to another place cannot be opened there.
func (b *Box) Seal(purpose string, plaintext, associated []byte) ([]byte, error) {
	salt, aead, err := b.keys.forSealing(b.secrets[0], purpose)
	if err != nil {
		return nil, err
	}
	out := make([]byte, headerBytes, len(plaintext)+Overhead)
	out[0] = version
	copy(out[1:], b.secrets[0].id[:])
	copy(out[1+idBytes:], salt[:])
	nonce := out[headerBytes-nonceBytes:]
	_, _ = rand.Read(nonce) // never fails: crypto/rand.Read
	return aead.Seal(out, nonce, plaintext, associated), nil
}

// Open decrypts what [Box.Seal] sealed: [ErrUnknownSecret], [ErrUnreadable].
func (b *Box) Open(purpose string, sealed, associated []byte) ([]byte, error) {
	if len(sealed) < Overhead || sealed[0] != version {
		return nil, ErrUnreadable
	}
	for _, s := range b.secrets {
		if s.id != [idBytes]byte(sealed[1:1+idBytes]) {
			continue
		}
		name := keyName{s.id, purpose, saltOf(sealed)}
		aead, err := b.keys.forOpening(s, name)
		if err != nil {
			return nil, err
		}
		plaintext, err := aead.Open(nil, sealed[headerBytes-nonceBytes:headerBytes], sealed[headerBytes:], associated)
		if err != nil {
			return nil, ErrUnreadable
		}
		b.keys.keep(name, aead)
		return plaintext, nil
	}
	return nil, ErrUnknownSecret
}

// MAC returns a keyed hash of data for a purpose, 32 bytes. It does not change as long as the
// newest root secret does not. It can identify something in logs without revealing it.
func (b *Box) MAC(purpose string, data []byte) []byte {
	return b.secrets[0].mac(purpose, data)
}

// ValidMAC reports whether mac is the result of [Box.MAC] for data and a purpose, with any of
// the box's root secrets.
func (b *Box) ValidMAC(purpose string, data, mac []byte) bool {
	for _, s := range b.secrets {
		if hmac.Equal(mac, s.mac(purpose, data)) {
			return true
		}
	}
	return false
}

func (s secret) mac(purpose string, data []byte) []byte {
	key, ok := s.macKeys.Load(purpose)
	if !ok {
		key, _ = s.macKeys.LoadOrStore(purpose, label(s.value, "mac/"+purpose))
	}
	mac := hmac.New(sha256.New, key.([]byte))
	mac.Write(data)
	return mac.Sum(nil)
}

func saltOf(sealed []byte) salt { return salt(sealed[1+idBytes:]) }

// aead returns the cipher of one salt (HKDF, RFC 5869). Purposes are constants of this program,
// so no two uses share a key.
func (s secret) aead(purpose string, salt salt) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.value, salt[:], "wxgate/v1/seal/"+purpose, keyBytes)
	if err != nil {
		return nil, fmt.Errorf("deriving a sealing key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making a sealing cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

// label derives a value that is not a cipher's key: an HMAC of the use under the root.
func label(root []byte, use string) []byte {
	mac := hmac.New(sha256.New, root)
	mac.Write([]byte("wxgate/v1/" + use))
	return mac.Sum(nil)
}
