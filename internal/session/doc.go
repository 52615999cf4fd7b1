// Package session keeps sessions, session keys and revocations.
//
// Start with [OpenFile], which opens the one bbolt file that outlives reloads,
// and [File.Store], which is an [auth.Store] over it for one configuration.
// [OpenRedis] and [Redis.Store] are the same for gateways that share a Redis, and
// [NewMemory] for one that keeps nothing. All feed a [Set], which answers on
// every request whether a token was revoked, and closes streams that were.
//
// # What is at rest
//
// Every record is sealed with the root secret and bound to its place; keys that
// would name a user are keyed hashes. A file that was copied tells how many
// sessions there are and when they end, and nothing else. The same goes for
// whoever reads all of a Redis.
//
// # Redis
//
// An operation reads, decides in Go by the rules of all stores, and writes with
// one script that first checks that what was read still holds (redis_step.go,
// lua/step.lua). All keys of one user are in one slot of a Cluster, found by the
// shard in a session's ID (redis_keys.go).
//
// A revocation is appended to a stream in the step that makes it. A follower
// (redis_follow.go, redis_stream.go) reads the streams without end and puts in
// force what the other replicas revoke; [Redis.Stale] says how long ago it knew
// everything. What a failover of Redis loses, the replicas that know it append
// again (redis_mend.go). While the follower does not hear Redis, operations fail
// at once.
//
// # Parts that every store shares
//
// The records (record.go), their sealing (vault.go), the rules of what ends and
// what is remembered (rules.go) and the revocation set know no database.
package session
