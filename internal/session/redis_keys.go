package session

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
)

// redisSchema is the layout below. Raise it when an older wxgate would misread
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
const redisSchema = 1

const (
	// redisTags is how many hash tags the users are spread over: enough for the
	// masters of a large Cluster, few enough that one connection follows the
	// revocation streams of all.
	redisTags = 16
	// nameBytes is how much of a keyed hash names a user or a client: the odds
	// that two of 2^32 share it are one in 2^65.
	nameBytes = 16

	fieldVersion = "v" // of a user's hash

	metaSchemaField = "schema"
	metaSecretField = "secret" // names the root secret that index is sealed with
	metaIndexField  = "index"
)

// redisTag is the hash tag of a shard.
func redisTag(shard byte) string {
	return "{" + strconv.FormatUint(uint64(shard%redisTags), redisTags) + "}"
}

// redisKey is a key of one kind in one slot.
func (r *Redis) redisKey(shard byte, parts ...string) string {
	return r.cfg.Prefix + ":" + redisTag(shard) + ":" + strings.Join(parts, ":")
}

func (r *Redis) sessionKey(id auth.SessionID) string { return r.redisKey(id.Shard(), "s", string(id)) }

func (r *Redis) streamKey(shard byte) string { return r.redisKey(shard, "revoked") }

func (r *Redis) metaKey() string { return r.redisKey(0, "meta") }

// userName stands for a user in keys.
func (v vault) userName(u auth.User) string { return encodeName(v.user(u)) }

// encodeName shortens a keyed hash to a name.
func encodeName(hash []byte) string { return base64.RawURLEncoding.EncodeToString(hash[:nameBytes]) }
