// Package token issues and verifies access tokens (JWTs), session handles and the
// short-lived assertions that upstreams verify.
//
// [New] returns the [Tokens] of a configuration over the signing keys of a
// keyring.Ring.
//
// # Rules
//
// [Tokens.Verify] accepts what [Tokens.Issue] writes and nothing else: one
// algorithm for each key, a header of exactly alg, typ and kid, strict base64
// and JSON, every claim present and of the right type (RFC 8725, RFC 9068). It
// reads no claim before it has verified the signature. Every error wraps one of
// two errors of package auth and names the rule, never the token.
//
// # Cache
//
// A cache in front of the signature check keeps verified tokens. Every hit
// compares the token's digest and checks the token's time and key again. The
// cache does not check revocation: auth.Service does that on every call.
package token
