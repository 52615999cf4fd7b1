package main

import (
	"fmt"
	"maps"
	"slices"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/command"
	"github.com/wxgate/wxgate/caddymodule/usage"
)

// about heads `wxgate --help`.
const about = `wxgate puts WeChat Mini Program identity in front of any HTTP API. It is the Caddy
web server with one more module, and is configured and run as Caddy is:

	- 'wxgate dev' starts a demo with no WeChat account and no network.
	- 'wxgate validate' reports errors in a configuration.
	- 'wxgate run' serves it in the foreground, 'wxgate reload' changes it.
	- 'wxgate keys', 'user', 'session-key' and 'store' are for its operator.
	- 'wxgate attack' tests a gateway against known attacks.
	- 'wxgate doctor' checks the configuration, this machine, the store and WeChat.
	- 'wxgate bench' measures what it costs on this machine.

The configuration is the file Caddyfile of the working directory, or --config.
docs/caddyfile.md describes all options.
`

const examples = `  $ wxgate dev
  $ wxgate validate --config Caddyfile
  $ wxgate run --config Caddyfile
  $ wxgate reload --config Caddyfile
  $ wxgate keys list --config Caddyfile
  $ wxgate user logout --app wx0000000000000001 --openid <openid> --config Caddyfile`

// newRoot returns the command `wxgate` with Caddy's commands and wxgate's. Caddy's own root
// command has Caddy's help, version and upgrade, and cannot be changed from outside.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:          "wxgate",
		Long:         about,
		Example:      examples,
		SilenceUsage: true,
		Version:      versions(),
	}
	root.SetVersionTemplate("{{.Version}}\n")
	commands := maps.Clone(caddycmd.Commands())
	delete(commands, command.Name) // its commands are at the root here
	for _, c := range command.Commands() {
		commands[c.Name] = c
	}
	for _, name := range slices.Sorted(maps.Keys(commands)) {
		root.AddCommand(subcommand(commands[name]))
	}
	usage.RequireCommand(root)
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" { // of Cobra, which prints its help for an unknown shell
			usage.RequireSubcommand(cmd)
		}
	}
	usage.Strict(root)
	return root
}

// subcommand returns one of Caddy's or wxgate's commands, with wxgate's changes.
func subcommand(c caddycmd.Command) *cobra.Command {
	cmd := &cobra.Command{Use: c.Name + " " + c.Usage, Short: c.Short, Long: c.Long}
	if c.CobraFunc != nil {
		c.CobraFunc(cmd)
	} else {
		cmd.RunE = caddycmd.WrapCommandFuncForCobra(c.Func)
		cmd.Flags().AddGoFlagSet(c.Flags)
	}
	switch c.Name {
	case "run":
		cmd.PreRunE = checkStart
		cmd.RunE = printUnseen(cmd.RunE)
	case "start": // its process is another `run`
		cmd.PreRunE = checkStart
	case "validate":
		cmd.RunE = printUnseen(cmd.RunE)
	case "stop":
		cmd.PreRunE = findRunning
	case "reload":
		cmd.RunE = caddycmd.WrapCommandFuncForCobra(reload)
	case "version":
		cmd.Long = "\nPrints the version of wxgate, and below it the version of Caddy that it contains."
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), versions())
			return err
		}
	case "upgrade", "add-package", "remove-package":
		return refuseReplacing(c.Name)
	}
	switch {
	case cmd.HasSubCommands():
		usage.RequireSubcommand(cmd)
	case slices.Contains(takeNoArguments, c.Name):
		// `wxgate validate my.caddyfile` would validate ./Caddyfile instead.
		cmd.Args = cobra.NoArgs
	}
	return cmd
}

// takeNoArguments lists Caddy's commands that ignore arguments.
var takeNoArguments = []string{"run", "start", "stop", "reload", "validate", "adapt", "environ", "version", "build-info", "list-modules"}

// refuseReplacing replaces a command that downloads a Caddy over this binary. Caddy's download server does not know wxgate.
func refuseReplacing(name string) *cobra.Command {
	return &cobra.Command{
		Use: name, Hidden: true, DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("wxgate %s is disabled: it would replace this binary with a Caddy without wxgate; "+
				"build a new wxgate, or a Caddy with xcaddy build --with github.com/wxgate/wxgate/caddymodule", name)
		},
	}
}
