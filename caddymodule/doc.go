// Package caddymodule makes wxgate a part of Caddy: the app "wxgate", the
// handlers "wxgate" and "wxgate_verify", their Caddyfile words, metrics, admin
// routes and commands.
//
// It is the only package that knows Caddy, and the only public one: import it
// for its side effect to add wxgate to a Caddy build.
//
//	import _ "github.com/wxgate/wxgate/caddymodule"
//
// A request's way, in four files: handler.go strips and finds the token,
// internal/auth decides, internal/token verifies, internal/session remembers
// what was revoked.
package caddymodule
