// Command wxgate is Caddy with its standard modules and wxgate's.
//
// To build your own Caddy with wxgate and further plugins, import
// github.com/wxgate/wxgate/caddymodule, or run
//
//	xcaddy build --with github.com/wxgate/wxgate/caddymodule
package main

import (
	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/wxgate/wxgate/caddymodule"
)

// about heads `wxgate --help`. Caddy's own text, which stands there otherwise,
// knows neither this command's name nor what it is for.
const about = `wxgate puts WeChat Mini Program identity in front of any HTTP API. It is the Caddy
web server with one module more, and is configured and run as Caddy is:

	- 'wxgate dev' shows it at work, with no WeChat account and no network.
	- 'wxgate validate' says what is wrong with a configuration.
	- 'wxgate run' serves it in the foreground, 'wxgate reload' changes it.
	- 'wxgate keys', 'user', 'session-key' and 'store' are for its operator.
	- 'wxgate attack' tries whether a gateway holds.

The configuration is the file Caddyfile of the working directory, or --config.
docs/caddyfile.md has all its words.
`

func main() {
	caddy.CustomBinaryName = "wxgate"
	caddy.CustomLongDescription = about
	caddycmd.Main()
}
