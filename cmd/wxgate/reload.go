package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/wxgate/wxgate/caddymodule/configfile"
)

// maxConfigBytes bounds what reload reads of the running configuration.
const maxConfigBytes = 64 << 20

// reload is Caddy's command reload, and prints whether anything was reloaded. Caddy
// silently ignores a configuration that equals the running one, and then does not read
// changed certificates and secret files.
func reload(flags caddycmd.Flags) (int, error) {
	if err := load(flags); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	return caddy.ExitCodeSuccess, nil
}

func load(flags caddycmd.Flags) error {
	config, file, adapter, err := caddycmd.LoadConfig(flags.String("config"), flags.String("adapter"))
	if err != nil {
		return err
	}
	if file == "" {
		return errors.New("no configuration: name the file with --config, or run reload in the folder of the Caddyfile")
	}
	address := flags.String("address")
	if address == "" {
		if address, err = configfile.AdminAddress(config, file); err != nil {
			return fmt.Errorf("finding the admin API: %w", err)
		}
	}
	unchanged := !flags.Bool("force") && running(address, config)
	header := http.Header{"Caddy-Config-Source-File": {file}, "Caddy-Config-Source-Adapter": {adapter}}
	if flags.Bool("force") {
		header.Set("Cache-Control", "must-revalidate")
	}
	response, err := caddycmd.AdminAPIRequest(address, http.MethodPost, "/load", header, bytes.NewReader(config))
	if err != nil {
		return fmt.Errorf("sending the configuration to %s: %w", address, err)
	}
	_ = response.Body.Close() // it is empty
	done := "the configuration was reloaded"
	if unchanged {
		done = "the configuration is unchanged: nothing was reloaded; --force reloads it, with the files that it names"
	}
	_, err = fmt.Fprintln(os.Stdout, done)
	return err
}

// running reports whether the running configuration equals config. If it cannot be read,
// running returns false, and loading reports the error.
func running(address string, config []byte) bool {
	response, err := caddycmd.AdminAPIRequest(address, http.MethodGet, "/config/", nil, nil)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }() // it was read
	text, err := io.ReadAll(io.LimitReader(response.Body, maxConfigBytes))
	if err != nil {
		return false
	}
	var now, next any
	if json.Unmarshal(text, &now) != nil || json.Unmarshal(config, &next) != nil {
		return false
	}
	return reflect.DeepEqual(now, next)
}
