package redis

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// schemaVersion is the layout below. Raise it when an older wxgate would misread
// what is in Redis.
//
//	<prefix>:{t}:s:<session ID>  sealed session
//	<prefix>:{t}:u:<user>        hash: session ID -> when it ends, v -> version
//	<prefix>:{t}:k:<user>        sealed session keys
//	<prefix>:{t}:a:<user>        sealed attempts to decrypt open data
//	<prefix>:{t}:r:<user>        the user's revocation: not after, Unix milliseconds
//	<prefix>:{t}:revoked         stream of revocations
//	<prefix>:{t}:l:<hash>        rate limit
//	<prefix>:{0}:meta            hash: schema, secret, index (sealed)
//	<prefix>:{0}:v:<name>        small value
//
// t is the hash tag, so that all of a user lies in one slot of a Cluster; a user
// is a keyed hash. All but the meta key and the signing keys, which are one of
// the small values, end by themselves.
const schemaVersion = 1

const (
	// hashTags is how many hash tags the users are spread over: enough for the
	// masters of a large Cluster, few enough that one connection follows the
	// revocation streams of all.
	hashTags = 16
	// nameBytes is how much of a keyed hash names a user or a client: the odds
	// that two of 2^32 share it are one in 2^65.
	nameBytes = 16

	fieldVersion = "v" // of a user's hash

	metaSchemaField = "schema"
	metaSecretField = "secret" // names the root secret that index is sealed with
	metaIndexField  = "index"
)

// What records are sealed into, beside their keys.
var (
	placeSessions    = []byte("sessions")
	placeKeys        = []byte("keys")
	placeRevocations = []byte("revocations")
)

// hashTag is the hash tag of a shard.
func hashTag(shard byte) string {
	return "{" + strconv.FormatUint(uint64(shard%hashTags), hashTags) + "}"
}

// key is a key of one kind in one slot.
func (r *Client) key(shard byte, parts ...string) string {
	return r.cfg.Prefix + ":" + hashTag(shard) + ":" + strings.Join(parts, ":")
}

func (r *Client) sessionKey(id auth.SessionID) string { return r.key(id.Shard(), "s", string(id)) }

func (r *Client) streamKey(shard byte) string { return r.key(shard, "revoked") }

func (r *Client) metaKey() string { return r.key(0, "meta") }

// userName stands for a user in keys.
func userName(v *session.Vault, u auth.User) string { return encodeName(v.HashUser(u)) }

// encodeName shortens a keyed hash to a name.
func encodeName(hash []byte) string { return base64.RawURLEncoding.EncodeToString(hash[:nameBytes]) }
