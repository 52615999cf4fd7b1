package caddymodule

import (
	"slices"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// CommandName is the one command that importing this package adds to Caddy:
// `caddy wxgate keys list`. Caddy panics on a command whose name is taken, so that
// wxgate's short names would break a build with another plugin of the same idea.
const CommandName = "wxgate"

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  CommandName,
		Usage: "<command>",
		Short: "Runs a command of wxgate, such as keys, user, store, attack or dev",
		CobraFunc: func(cmd *cobra.Command) {
			for _, c := range Commands() {
				sub := &cobra.Command{Use: c.Name + " " + c.Usage, Short: c.Short, Long: c.Long}
				c.CobraFunc(sub)
				cmd.AddCommand(sub)
			}
			RequireSubcommand(cmd)
		},
	})
}

// Commands returns wxgate's commands, each with its CobraFunc. The binary wxgate has
// them at its root.
func Commands() []caddycmd.Command {
	return slices.Concat(adminCommands, []caddycmd.Command{attackSpec, devSpec, storeSpec})
}
