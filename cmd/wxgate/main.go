// Command wxgate is Caddy with its standard modules and wxgate's.
//
// To build your own Caddy with wxgate and further plugins, import
// github.com/wxgate/wxgate/caddymodule, or run
//
//	xcaddy build --with github.com/wxgate/wxgate/caddymodule
package main

import (
	"os"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/wxgate/wxgate/caddymodule"
)

func main() {
	caddy.CustomBinaryName = "wxgate"
	if newRoot().Execute() != nil {
		os.Exit(caddy.ExitCodeFailedStartup) // Cobra or the command printed the error
	}
}
