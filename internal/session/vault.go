package session

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
)

const (
	// sealPurpose separates stored records from everything else that is sealed with the
	// root secret.
	sealPurpose = "session/record"

	// indexKeyBytes is the length of the key of user hashes: that of the hash (RFC 2104
	// section 3).
	indexKeyBytes = sha256.Size
)

// Vault seals records into their places and hides users' names. It does not depend on a
// database: a place is a bucket (or a key prefix) and a key.
type Vault struct {
	Box *seal.Box
	// IndexKey keys the hashes of users. It is random, created once for a store, and stored
	// sealed in it. A hash under the root secret would change when the secret is rotated,
	// and every user's sessions would be lost.
	IndexKey []byte
}

// NewIndexKey returns a random key for [Vault.IndexKey].
func NewIndexKey() []byte {
	key := make([]byte, indexKeyBytes)
	_, _ = rand.Read(key) // never fails: crypto/rand.Read
	return key
}

// Seal encrypts a record for one place: copied to another place, it cannot be opened.
func (v Vault) Seal(bucket, key, record []byte) ([]byte, error) {
	sealed, err := v.Box.Seal(sealPurpose, record, place(bucket, key))
	if err != nil {
		return nil, fmt.Errorf("sealing a record: %w", err)
	}
	return sealed, nil
}

// Open decrypts a record from its place: [ErrOtherSecret], [ErrCorrupt].
func (v Vault) Open(bucket, key, sealed []byte) ([]byte, error) {
	record, err := v.Box.Open(sealPurpose, sealed, place(bucket, key))
	switch {
	case errors.Is(err, seal.ErrUnknownSecret):
		return nil, fmt.Errorf("%w: %w", ErrOtherSecret, err)
	case err != nil:
		return nil, fmt.Errorf("%w: a record was modified or moved: %w", ErrCorrupt, err)
	}
	return record, nil
}

// SealKeys encrypts a user's session keys for one place; nil if there are none.
func (v Vault) SealKeys(bucket, user []byte, keys []auth.SessionKey) ([]byte, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	record, err := EncodeKeys(keys)
	if err != nil {
		return nil, err
	}
	return v.Seal(bucket, user, record)
}

// OpenKeys decrypts a user's session keys from their place. Unreadable keys count as none: the
// next login writes a new key, and an error would lock the user out.
func (v Vault) OpenKeys(bucket, user, sealed []byte) []auth.SessionKey {
	if len(sealed) == 0 {
		return nil
	}
	record, err := v.Open(bucket, user, sealed)
	if err != nil {
		return nil
	}
	keys, err := DecodeKeys(record)
	if err != nil {
		return nil
	}
	return keys
}

// HashUser returns the hash of a user for use in keys. IDs have no NUL, so no two users have
// the same input.
func (v Vault) HashUser(u auth.User) []byte {
	mac := hmac.New(sha256.New, v.IndexKey)
	mac.Write([]byte(u.App))
	mac.Write([]byte{0})
	mac.Write([]byte(u.OpenID))
	return mac.Sum(nil)
}

// HashErased returns the identification of an erased user. Its key is derived, so that the
// hash differs from the one in the user's former keys.
func (v Vault) HashErased(u auth.User) auth.ErasedUser {
	mac := hmac.New(sha256.New, v.IndexKey)
	mac.Write([]byte("wxgate erased users"))
	return auth.NewErasedUser(mac.Sum(nil), u)
}

// HashPerson returns the hash of a unionid for use in keys. No user has the same input: an
// app's name is never empty.
func (v Vault) HashPerson(u auth.UnionID) []byte {
	mac := hmac.New(sha256.New, v.IndexKey)
	mac.Write([]byte{0})
	mac.Write([]byte(u))
	return mac.Sum(nil)
}

func place(bucket, key []byte) []byte {
	out := make([]byte, 0, len(bucket)+1+len(key))
	out = append(out, bucket...)
	out = append(out, 0)
	return append(out, key...)
}
