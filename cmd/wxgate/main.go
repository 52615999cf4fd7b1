// Command wxgate is Caddy with its standard modules and wxgate's.
//
// To build your own Caddy with wxgate and further plugins, import
// github.com/wxgate/wxgate/caddymodule, or run
//
//	xcaddy build --with github.com/wxgate/wxgate/caddymodule
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/wxgate/wxgate/caddymodule"
)

func main() {
	caddycmd.Main()
}
