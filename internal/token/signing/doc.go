// Package signing has the signing keys of tokens: it parses, generates and
// checks them, and signs and verifies with them.
//
// Every [Key] is pinned to one [Alg]. A token never chooses the algorithm that
// its signature is verified with.
package signing
