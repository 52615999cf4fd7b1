// Package redis stores sessions in a Redis or Valkey that any number of gateways share.
// [Open] connects; the connection outlives configuration reloads. [Client.Store] returns an
// [auth.Store] over it for one configuration.
//
// Package connection connects to Redis. An operation reads, decides in Go by the rules of
// all stores, and writes with one script that first checks that what was read has not
// changed (package step). All keys of one user are in one slot of a Cluster, which
// the shard in a session ID determines (package layout).
//
// A revocation is appended to a stream in the step that creates it. A follower (follow.go,
// stream.go) reads the streams in a loop and enforces the revocations of other replicas;
// [Client.Stale] returns how long ago it had read all entries. If a failover of Redis loses
// revocations, the replicas that know them append them again (repair.go). While the
// follower cannot read from Redis, operations fail at once.
//
// Every record is sealed with the root secret and bound to its key. Users in keys are keyed
// hashes. Someone who can read all of Redis sees how many sessions there are and when they
// end, and nothing else.
package redis
