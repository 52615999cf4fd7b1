package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
	"time"
)

const (
	erasedKeyBytes  = 32
	erasedHashBytes = sha256.Size
)

// ErasedUser identifies an erased user: the key of a keyed hash (32 bytes), the hash of the
// user (32 bytes) and [User.Shard]. It includes its key, so that it means the same in another
// store. Finding the user requires the store's sealed records, which contain the key, and
// the openid or a trial of all openids.
type ErasedUser string

// NewErasedUser hashes u with a key of 32 bytes.
func NewErasedUser(key []byte, u User) ErasedUser {
	return ErasedUser(string(key) + HashErased(string(key), u) + string([]byte{u.Shard()}))
}

// HashErased returns the hash in the [ErasedUser] of u with this key.
func HashErased(key string, u User) string { return string(NewUserHasher(key).Append(nil, u)) }

// UserHasher computes the hashes of [ErasedUser] with one key. It makes no garbage, since
// requests wait for it. It is safe for concurrent use.
type UserHasher struct{ states sync.Pool }

type hashState struct {
	mac   hash.Hash
	input []byte
	sum   []byte
}

// NewUserHasher returns a hasher with a key of 32 bytes.
func NewUserHasher(key string) *UserHasher {
	return &UserHasher{states: sync.Pool{New: func() any { return &hashState{mac: hmac.New(sha256.New, []byte(key))} }}}
}

// Append appends the hash of a user to dst. IDs have no NUL, so no two users have the same
// input.
func (h *UserHasher) Append(dst []byte, u User) []byte {
	state, _ := h.states.Get().(*hashState)
	defer h.states.Put(state)
	state.input = append(append(append(state.input[:0], u.App...), 0), u.OpenID...)
	state.mac.Reset()
	state.mac.Write(state.input)
	state.sum = state.mac.Sum(state.sum[:0]) // not into dst, which an interface call would move to the heap
	return append(dst, state.sum...)
}

// Valid reports whether e has the form that [NewErasedUser] returns.
func (e ErasedUser) Valid() bool { return len(e) == erasedKeyBytes+erasedHashBytes+1 }

// Key returns the key of the hash. e must be valid.
func (e ErasedUser) Key() string { return string(e[:erasedKeyBytes]) }

// Hash returns the hash of the user. e must be valid.
func (e ErasedUser) Hash() string { return string(e[erasedKeyBytes:][:erasedHashBytes]) }

// Shard returns [User.Shard] of the user. e must be valid.
func (e ErasedUser) Shard() byte { return e[len(e)-1] }

// Names reports whether e identifies u. e must be valid.
func (e ErasedUser) Names(u User) bool { return HashErased(e.Key(), u) == e.Hash() }

// Erased is what [Store.Erase] deleted, and what it kept under a keyed hash.
type Erased struct {
	Sessions    int // records that were deleted, with their index entries
	SessionKeys int // of WeChat's, that were deleted
	// Attempts reports whether attempts to decrypt open data are kept. They must not start
	// again at 0: a user who has the account erased and logs in again would get new
	// attempts each time, and could decrypt without limit.
	Attempts     bool
	RevokedUntil time.Time // when the revocation of the user's access tokens is forgotten
}
