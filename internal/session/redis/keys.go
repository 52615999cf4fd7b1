package redis

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// schemaVersion is the version of this layout. Raise it if older versions of wxgate would
// misread the data in Redis.
//
//	<prefix>:{t}:s:<session ID>  sealed session
//	<prefix>:{t}:u:<user>        hash: session ID -> when it ends, v -> version
//	<prefix>:{t}:k:<user>        sealed session keys
//	<prefix>:{t}:a:<user>        sealed attempts to decrypt open data
//	<prefix>:{t}:r:<user>        the user's revocation: not after, Unix milliseconds
//	<prefix>:{t}:a:<erased>      what is kept of a user who was erased: attempts
//	<prefix>:{t}:r:<erased>      the same: the revocation
//	<prefix>:{t}:revoked         stream of revocations
//	<prefix>:{t}:l:<hash>        rate limit
//	<prefix>:{0}:meta            hash: schema, secret, index (sealed)
//	<prefix>:{0}:v:<name>        small value
//
// t is the hash tag, so that all keys of a user are in one slot of a Cluster; a user is a
// keyed hash, and an erased user a hash under another key. All keys expire, except the meta key and the small value with the signing
// keys.
const schemaVersion = 1

const (
	// hashTags is how many hash tags users are distributed to: enough for the masters of
	// a large Cluster, and few enough that one connection follows all streams.
	hashTags = 16
	// nameBytes is how many bytes of a keyed hash name a user or a client: the
	// probability that two of 2^32 have the same name is one in 2^65.
	nameBytes = 16

	fieldVersion = "v" // of a user's hash

	metaSchemaField = "schema"
	metaSecretField = "secret" // names the root secret that index is sealed with
	metaIndexField  = "index"
)

// Where records are sealed to, in addition to their keys.
var (
	placeSessions    = []byte("sessions")
	placeKeys        = []byte("keys")
	placeRevocations = []byte("revocations")
)

// hashTag returns the hash tag of a shard.
func hashTag(shard byte) string {
	return "{" + strconv.FormatUint(uint64(shard%hashTags), hashTags) + "}"
}

// key returns a key in the slot of a shard.
func (r *Client) key(shard byte, parts ...string) string {
	return r.cfg.Prefix + ":" + hashTag(shard) + ":" + strings.Join(parts, ":")
}

func (r *Client) sessionKey(id auth.SessionID) string { return r.key(id.Shard(), "s", string(id)) }

func (r *Client) streamKey(shard byte) string { return r.key(shard, "revoked") }

func (r *Client) metaKey() string { return r.key(0, "meta") }

// userName returns the name of a user in keys.
func userName(v *session.Vault, u auth.User) string { return encodeName(v.HashUser(u)) }

// erasedName returns the name of an erased user in keys.
func erasedName(u auth.ErasedUser) string { return encodeName([]byte(u.Hash())) }

// encodeName shortens a keyed hash to a name.
func encodeName(hash []byte) string { return base64.RawURLEncoding.EncodeToString(hash[:nameBytes]) }
