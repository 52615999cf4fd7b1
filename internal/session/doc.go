// Package session is what every store of sessions is built from: the records
// (record.go) and how they are sealed (vault.go), the rules of what ends a session
// and what is remembered of it (rules.go), the revocation set with the watches on
// open responses (revocations.go, watches.go), sweeping (sweeper.go) and copying
// between stores (moving.go). It knows no database.
//
// The stores are the packages below it: bolt keeps one file, redis is shared by any
// number of gateways, memory keeps nothing. Each feeds a [Set], which reports on
// every request whether a token was revoked, and ends the responses that a revoked
// token opened. Package sessiontest is their common test suite.
package session
