package main

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/internal/version"
)

// versions returns wxgate's version and, on a second line, Caddy's.
func versions() string {
	_, full := caddy.Version()
	return "wxgate " + version.String() + "\nCaddy " + full
}
