// Package auth holds wxgate's words and rules: who a caller is, how a login
// becomes a session, what a refresh token may do, when a session ends.
//
// Start with [Service], which answers the five questions of the gateway: login,
// authenticate, decode, refresh, logout. It reaches the world through three
// small contracts: [Platform] (WeChat and its siblings), [Tokens] (our JWTs and
// handles) and [Store] (sessions, session keys, revocations).
//
// # Errors
//
// Every failure wraps exactly one of the sentinels in errors.go. The sentinel is
// the class a client may learn; the wrapping text is the cause, for logs only.
//
// The package imports the standard library alone, so the rules can be read and
// tested without Caddy, a database or a network.
package auth
