// Package command has wxgate's commands dev, sim, attack, bench, doctor and store. Those that call
// the admin API are in caddymodule/admin.
package command

import (
	"slices"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/admin"
	"github.com/wxgate/wxgate/caddymodule/usage"
)

// Name is the one command that importing this package adds to Caddy:
// `caddy wxgate keys list`. Caddy panics on a command whose name is taken, so that
// wxgate's short names would break a build with another plugin that uses them.
const Name = "wxgate"

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  Name,
		Usage: "<command>",
		Short: "Runs a command of wxgate, such as keys, user, store, attack, bench, dev or sim",
		CobraFunc: func(cmd *cobra.Command) {
			for _, c := range Commands() {
				sub := &cobra.Command{Use: c.Name + " " + c.Usage, Short: c.Short, Long: c.Long}
				c.CobraFunc(sub)
				cmd.AddCommand(sub)
			}
			usage.RequireSubcommand(cmd)
			usage.Strict(cmd)
		},
	})
}

// Commands returns wxgate's commands, each with its CobraFunc. The binary wxgate adds them to
// its root command.
func Commands() []caddycmd.Command {
	return slices.Concat(admin.Commands, []caddycmd.Command{attackSpec, benchSpec, devSpec, doctorSpec, simSpec, storeSpec})
}
