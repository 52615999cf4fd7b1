// Package redis stores sessions in a Redis or Valkey that any number of gateways
// share.
//
// [Open] connects; the connection outlives configuration reloads. [Client.Store]
// returns an [auth.Store] over it for one configuration.
//
// An operation reads, decides in Go by the rules of all stores, and writes with
// one script that first checks that what was read has not changed (step.go,
// lua/step.lua). All keys of one user are in one slot of a Cluster, found by the
// shard in a session's ID (keys.go).
//
// A revocation is appended to a stream in the step that makes it. A follower
// (follow.go, stream.go) reads the streams in a loop and puts in force what other
// replicas revoke; [Client.Stale] returns how long ago it had read everything. What a
// failover of Redis loses, the replicas that know it append again (repair.go).
// While the follower cannot read from Redis, operations fail at once.
//
// Every record is sealed with the root secret and bound to its key; keys that would
// name a user are keyed hashes. A reader of all of Redis sees how many sessions
// there are and when they end, and nothing else.
package redis
