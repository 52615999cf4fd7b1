// Package auth has wxgate's types and rules: who a caller is, how a login becomes a
// session, what a refresh token may do, when a session ends.
//
// Start with [Service], which has the five flows of the gateway: login, authenticate,
// decode, refresh and logout. It depends on three interfaces: [Platform] (WeChat and the
// other platforms), [Tokens] (JWTs and handles) and [Store] (sessions, session keys,
// revocations).
//
// # Errors
//
// Every failure wraps exactly one of the sentinels in errors.go. The sentinel is
// the class a client may learn; the wrapping text is the cause, for logs only.
//
// The package imports only the standard library, so the rules can be read and tested
// without Caddy, a database or a network.
package auth
