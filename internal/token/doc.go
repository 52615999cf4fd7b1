// Package token makes and checks what clients hold: access tokens (JWTs),
// session handles and the short assertions that upstreams verify.
//
// Start with [OpenRing], which keeps the signing keys, and [New], which makes
// the [Tokens] that serve requests over it. [Ring.Run] rotates the keys;
// [Ring.JWKS] is what others verify with.
//
// # What a token must be
//
// [Tokens.Verify] accepts what [Tokens.Issue] writes and nothing else: one
// algorithm for each key, a header of exactly alg, typ and kid, strict base64
// and JSON, every claim present and of its type (RFC 8725, RFC 9068). No claim
// is read before the signature was verified. Every refusal wraps one of auth's
// two errors and names the rule, never the token.
//
// # Keys that change
//
// A key signs for one or several profiles: an issuer, its audiences and the
// longest life it gave a token. A key or a profile that is replaced, by time or
// by a changed configuration, keeps verifying its own tokens until the last of
// them has ended. So nobody is logged out by a rotation or a reload.
//
// # The cache
//
// Verified tokens are kept in front of the signature check. An entry proves
// itself on every hit: it holds the token's digest, and the token's time and
// key are looked at again. Revocation is not looked at here; auth.Service does
// it on every call.
package token
