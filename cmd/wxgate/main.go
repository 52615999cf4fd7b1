// Command wxgate is Caddy with its standard modules and wxgate's.
//
// To build your own Caddy with wxgate and further plugins, import
// github.com/wxgate/wxgate/caddymodule, or run
//
//	xcaddy build --with github.com/wxgate/wxgate/caddymodule
package main

import (
	"errors"
	"os"
	"runtime/debug"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/wxgate/wxgate/caddymodule"
)

func main() {
	setGCPercent()
	caddy.CustomBinaryName = "wxgate"
	if err := newRoot().Execute(); err != nil { // Cobra or the command printed the error
		os.Exit(exitCode(err))
	}
}

// exitCode is that of the error, or 1.
func exitCode(err error) int {
	if coded, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		return coded.ExitCode()
	}
	return caddy.ExitCodeFailedStartup
}

// gcPercent is by how much the heap grows before garbage is collected. With Go's own 100,
// a gateway, whose heap in use is some 15 MiB, collects many times a second under load.
// Near Go's memory limit, which Caddy sets to 90 % of that of the container or of the
// machine, the collector runs more often, whatever the percentage.
const gcPercent = 300

// setGCPercent sets how often garbage is collected, unless GOGC does.
func setGCPercent() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
