// Package configfile reads a configuration for commands that do not load it. Caddy's own
// reading logs lines, among which the line of the command would be lost.
package configfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// Default is the file of the working directory that Caddy's commands read if none is named.
const Default = "Caddyfile"

// ErrNone is a command without a file, in a folder without a Caddyfile.
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

// Read returns a configuration as JSON. Like Caddy it takes Caddyfile, Caddyfile.* and
// *.caddyfile for Caddyfiles if no adapter is named.
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
