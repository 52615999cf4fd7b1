// Package caddymodule makes wxgate a part of Caddy: the app "wxgate", the handlers
// "wxgate", "wxgate_verify" and "wxgate_openapi", their Caddyfile directives, metrics,
// admin routes and commands.
//
// It is the only package that knows Caddy, and the only public one. Import it for its
// side effect to add wxgate to a Caddy build:
//
//	import _ "github.com/wxgate/wxgate/caddymodule"
//
// docs/architecture.md lists the files that a request passes, in their order.
package caddymodule
