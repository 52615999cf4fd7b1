// Package session is the common part of all session stores: the records (record.go) and
// their encryption (vault.go), the rules about what ends a session and what is remembered
// of it (rules.go), the revocation set with the watches on open responses (revocations.go,
// watches.go), sweeping (sweeper.go) and copying between stores (moving.go). It does not
// depend on a database.
//
// The stores are the packages below it: bolt uses one file, redis is shared by any number
// of gateways, memory loses everything at a restart. Each store feeds a [Set], which reports
// on every request whether a token was revoked, and ends the responses that a revoked
// token opened. Package sessiontest is their common test suite.
package session
