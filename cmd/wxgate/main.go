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

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/wxgate/wxgate/caddymodule"
	"github.com/wxgate/wxgate/internal/garbage"
)

func main() {
	garbage.Tune()
	caddy.CustomBinaryName = "wxgate"
	if err := newRoot().Execute(); err != nil { // Cobra or the command printed the error
		os.Exit(exitCode(err))
	}
}

// exitCode returns the exit code of the error, or 1.
func exitCode(err error) int {
	if coded, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		return coded.ExitCode()
	}
	return caddy.ExitCodeFailedStartup
}
