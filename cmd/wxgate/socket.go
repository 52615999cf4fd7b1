package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/configfile"
)

// dialTimeout is how long a process that listens on a socket may take to accept.
const dialTimeout = 2 * time.Second

// checkStart refuses to start without a configuration: Caddy would serve nothing, and open an
// admin API for every local user. It also refuses if another process listens on the admin socket.
// Caddy deletes a socket before it listens there: a second gateway, which then fails on the
// store's lock, would leave the first gateway without its admin API.
//
// A configuration that cannot be read here is left to the command itself, which
// reports what is wrong with it.
func checkStart(cmd *cobra.Command, _ []string) error {
	flags := caddycmd.Flags{FlagSet: cmd.Flags()}
	restore, err := withEnvFiles(cmd)
	defer restore()
	if err != nil {
		return nil
	}
	config, file, err := readConfig(flags)
	if errors.Is(err, configfile.ErrNone) {
		return err
	}
	if err != nil || len(config) == 0 {
		return nil
	}
	listen, err := configfile.AdminAddress(config, file)
	if errors.Is(err, configfile.ErrNoSocket) {
		return err
	}
	if err != nil {
		return nil
	}
	return checkSocket(cmd.Context(), listen)
}

// checkSocket returns an error if listen is a unix socket on which another process
// listens, or one that cannot be created.
func checkSocket(ctx context.Context, listen string) error {
	address, err := caddy.ParseNetworkAddress(listen)
	if err != nil || !address.IsUnixNetwork() {
		return nil //nolint:nilerr // Caddy reports it
	}
	path, _, _ := strings.Cut(address.Host, "|") // the socket's permissions
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("another process listens on the admin socket %s: stop it, or give this gateway another admin socket", path)
	}
	if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) && !strings.HasPrefix(path, "@") {
		return fmt.Errorf("the folder of the admin socket %s does not exist: create it, or change admin in the global options", path)
	}
	return nil
}

// readConfig returns the configuration that the command is about to load, as JSON, and its
// file. It writes no log lines; the command itself does. The configuration is empty for
// standard input, which can be read only once. The error is [configfile.ErrNone] if the
// command would load no configuration.
func readConfig(flags caddycmd.Flags) (config []byte, file string, err error) {
	if flags.Lookup("resume") != nil && flags.Bool("resume") {
		if saved, err := os.ReadFile(caddy.ConfigAutosavePath); !errors.Is(err, fs.ErrNotExist) {
			return saved, caddy.ConfigAutosavePath, err
		}
	}
	file = flags.String("config")
	if file == "-" {
		return nil, "", nil
	}
	if file, err = configfile.Find(file); err != nil {
		return nil, "", err
	}
	config, err = configfile.Read(file, flags.String("adapter"))
	return config, file, err
}

// withEnvFiles sets the variables of --envfile until restore is called, because the path of
// the admin socket may be in one. Caddy sets them later.
func withEnvFiles(cmd *cobra.Command) (restore func(), err error) {
	var set []string
	restore = func() {
		for _, name := range set {
			_ = os.Unsetenv(name) // it was set below
		}
	}
	files, err := cmd.Flags().GetStringSlice("envfile")
	if err != nil {
		return restore, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return restore, err
		}
		for line := range strings.Lines(string(text)) {
			name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
			if _, exists := os.LookupEnv(name); !ok || exists || strings.HasPrefix(name, "#") {
				continue
			}
			if err := os.Setenv(name, strings.Trim(value, `"'`)); err != nil {
				return restore, err
			}
			set = append(set, name)
		}
	}
	return restore, nil
}
