// Package layout is the layout of the store in Redis: the names and fields of its keys.
package layout

import (
	"crypto/rand"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// Version is the version of this layout. Increase it if older versions of wxgate would
// misread the data in Redis.
//
//	<prefix>:{t}:s:<session ID>  sealed session; replaced:<end> once session_limit ended it
//	<prefix>:{t}:u:<user>        hash: session ID -> when it ends, when its last access token
//	                             ends, and its class of devices; v -> version,
//	                             p:<person> -> 1 for each of the user's persons
//	<prefix>:{t}:p:<person>      hash: user -> when the user's last session with this unionid
//	                             ends at the latest, by the clock of Redis
//	<prefix>:{t}:k:<user>        sealed session keys
//	<prefix>:{t}:a:<user>        sealed attempts to decrypt open data
//	<prefix>:{t}:r:<user>        the user's revocation: not after, Unix milliseconds
//	<prefix>:{t}:a:<erased>      what is kept of a user who was erased: attempts
//	<prefix>:{t}:r:<erased>      the same: the revocation
//	<prefix>:{t}:revoked         stream of revocations
//	<prefix>:{t}:sessions        sorted set: session ID -> when it ends, Unix milliseconds
//	<prefix>:{t}:users           sorted set: user -> when the last of the user's sessions ends
//	<prefix>:{t}:l:<hash>        rate limit
//	<prefix>:{0}:meta            hash: schema, secret, index (sealed)
//	<prefix>:{0}:v:<name>        small value
//
// t is the hash tag, so that all keys of a user are in one slot of a Cluster; a user is a
// keyed hash, an erased user a hash under another key, and a person a keyed hash of the
// unionid. The users of a person are in up to 16 slots: a login writes no key of another
// slot. All keys expire, except the meta key and the small value with the signing
// keys.
const Version = 1

const (
	// HashTags is how many hash tags users are distributed to: enough for the masters of
	// a large Cluster, and few enough for one connection to follow all streams.
	HashTags = 16
	// nameBytes is how many bytes of a keyed hash name a user or a client: the
	// probability that two of 2^32 have the same name is one in 2^65.
	nameBytes = 16

	versionLength = 12 // 60 bits: it is compared only with a version read less than a second before
)

// The names of the sorted sets for counting. They also have a few expired members.
const (
	CountedSessions = "sessions"
	CountedUsers    = "users"
)

// The fields of a user's hash that are not sessions.
const (
	FieldVersion = "v"
	FieldPerson  = "p:" // followed by the person
)

// The fields of the meta key.
const (
	MetaSchema = "schema"
	MetaSecret = "secret" // identifies the root secret that index is sealed with
	MetaIndex  = "index"
)

// The places that records are sealed into, in addition to their keys.
var (
	PlaceSessions    = []byte("sessions")
	PlaceKeys        = []byte("keys")
	PlaceRevocations = []byte("revocations")
)

// HashTag returns the hash tag of a shard.
func HashTag(shard byte) string {
	return "{" + strconv.FormatUint(uint64(shard%HashTags), HashTags) + "}"
}

// UserName returns the name of a user in keys.
func UserName(v *session.Vault, u auth.User) string { return EncodeName(v.HashUser(u)) }

// ErasedName returns the name of an erased user in keys.
func ErasedName(u auth.ErasedUser) string { return EncodeName([]byte(u.Hash())) }

// PersonName returns the name of a person in keys.
func PersonName(v *session.Vault, u auth.UnionID) string { return EncodeName(v.HashPerson(u)) }

// EncodeName shortens a keyed hash to a name.
func EncodeName(hash []byte) string { return base64.RawURLEncoding.EncodeToString(hash[:nameBytes]) }

// NewVersion returns a version that a user's index never had.
func NewVersion() string { return rand.Text()[:versionLength] }

// Millis returns a time in Unix milliseconds.
func Millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// MillisUp rounds up, so that nothing ends early.
func MillisUp(t time.Time) string { return Millis(t.Add(time.Millisecond - time.Nanosecond)) }

// ParseMillis is the inverse of Millis; the zero time for anything else.
func ParseMillis(s string) time.Time {
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
