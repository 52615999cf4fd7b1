package main

import (
	"fmt"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/configfile"
)

// findRunning makes `wxgate stop` find the admin API as all other commands do: at --address, or at
// the address in --config or in the Caddyfile of this folder. Caddy's own command ignores that
// Caddyfile, and might stop another server on Caddy's default address.
func findRunning(cmd *cobra.Command, _ []string) error {
	flags := caddycmd.Flags{FlagSet: cmd.Flags()}
	address, err := configfile.FindAdmin(flags.String("address"), flags.String("config"), flags.String("adapter"))
	if err != nil {
		return fmt.Errorf("finding the admin API: %w", err)
	}
	return cmd.Flags().Set("address", address)
}
