package main

import (
	"runtime/debug"

	"github.com/caddyserver/caddy/v2"
)

// versions is wxgate's version and, on a second line, Caddy's.
func versions() string {
	_, full := caddy.Version()
	return "wxgate " + ownVersion() + "\nCaddy " + full
}

// ownVersion is from the build: the module's version, which the go command makes of
// the commit when it builds in a repository.
func ownVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown version)"
	}
	return info.Main.Version
}
