// Package session keeps sessions, session keys and revocations.
//
// Start with [OpenFile], which opens the one bbolt file that outlives reloads,
// and [File.Store], which is an [auth.Store] over it for one configuration.
// [NewMemory] is the same without a file. Both feed a [Set], which answers on
// every request whether a token was revoked, and closes streams that were.
//
// # What is at rest
//
// Every record is sealed with the root secret and bound to its place; keys that
// would name a user are keyed hashes. A file that was copied tells how many
// sessions there are and when they end, and nothing else.
//
// # Parts that every store shares
//
// The records (record.go), their sealing (vault.go), the rules of what ends and
// what is remembered (rules.go) and the revocation set know no database.
package session
