// Package caddymodule makes wxgate a part of Caddy: the app "wxgate", the handlers
// "wxgate", "wxgate_verify" and "wxgate_openapi", their Caddyfile directives, metrics,
// admin routes and commands. Import it for its side effect to add wxgate to a Caddy build:
//
//	import _ "github.com/wxgate/wxgate/caddymodule"
//
// Its subpackages register the modules. docs/architecture.md lists the files that a request
// passes through, in order.
package caddymodule

import (
	// Each package registers its modules and commands.
	_ "github.com/wxgate/wxgate/caddymodule/admin"
	_ "github.com/wxgate/wxgate/caddymodule/app"
	_ "github.com/wxgate/wxgate/caddymodule/command"
	_ "github.com/wxgate/wxgate/caddymodule/handler"
	_ "github.com/wxgate/wxgate/caddymodule/openapi"
	_ "github.com/wxgate/wxgate/caddymodule/proxylog"
)
