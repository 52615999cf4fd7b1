// Package configfile reads a configuration for commands that do not load it. Caddy's own
// functions log lines, which would hide the output of the command.
package configfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// Default is the file of the working directory that Caddy's commands read if none is named.
const Default = "Caddyfile"

// ErrNone means that the command names no file, and that the folder has no Caddyfile.
var ErrNone = errors.New("there is no Caddyfile in this folder; name the configuration with --config")

// Find returns the name of the configuration: file, or the Caddyfile of the working directory.
// The error is [ErrNone] if there is none.
func Find(file string) (string, error) {
	if file != "" {
		return file, nil
	}
	if _, err := os.Stat(Default); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", ErrNone
		}
		return "", err
	}
	return Default, nil
}

// Read returns a configuration as JSON. If adapter is empty, files named Caddyfile, Caddyfile.*
// and *.caddyfile are read as Caddyfiles, as Caddy does.
func Read(file, adapter string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(filepath.Base(file))
	if adapter == "" && filepath.Ext(name) != ".json" && (strings.HasPrefix(name, "caddyfile") || filepath.Ext(name) == ".caddyfile") {
		adapter = "caddyfile"
	}
	if adapter == "" {
		return text, nil
	}
	known := caddyconfig.GetAdapter(adapter)
	if known == nil {
		return nil, fmt.Errorf("unrecognized adapter %q", adapter)
	}
	config, _, err := known.Adapt(text, map[string]any{"filename": file})
	return config, err
}

// ErrNoSocket means that the admin address is a unix socket without a path.
var ErrNoSocket = errors.New("the address of the admin API is a unix socket without a path")

// AdminAddress returns the address of the admin API that a configuration names, or Caddy's
// default. config is JSON that was read from file. The error is [ErrNoSocket] for an address
// whose variable is not set.
func AdminAddress(config []byte, file string) (string, error) {
	address, err := caddycmd.DetermineAdminAPIAddress("", config, file, "")
	if err != nil {
		return "", err
	}
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil || !parsed.IsUnixNetwork() {
		return address, nil //nolint:nilerr // Caddy reports it
	}
	if path, _, _ := strings.Cut(parsed.Host, "|"); path != "" { // the socket's permissions follow
		return address, nil
	}
	return "", fmt.Errorf("%w: %s in %s; %s", ErrNoSocket, address, file, socketAdvice(file))
}

// FindAdmin returns the address of the admin API of the running process, for a command with
// the flags --address, --config and --adapter: address, or the one that the configuration
// names, or else Caddy's default.
func FindAdmin(address, file, adapter string) (string, error) {
	if address != "" {
		return address, nil
	}
	file, err := Find(file)
	if errors.Is(err, ErrNone) {
		return caddy.DefaultAdminListen, nil
	}
	if err != nil {
		return "", err
	}
	config, err := Read(file, adapter)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return AdminAddress(config, file)
}

// adminVariable matches the option admin of a Caddyfile, and captures the name of its variable.
var adminVariable = regexp.MustCompile(`(?m)^\s*admin\s+\S*\{(?:\$|env\.)(\w+)`)

// socketAdvice names the variable of the address, if the file has one.
func socketAdvice(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "set admin in the global options"
	}
	if found := adminVariable.FindSubmatch(text); found != nil {
		return fmt.Sprintf("is %s set?", found[1])
	}
	return "set admin in the global options"
}
