package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/app"
	"github.com/wxgate/wxgate/caddymodule/offline"
	"github.com/wxgate/wxgate/caddymodule/usage"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/table"
)

// storeSpec is the command `wxgate store`.
var storeSpec = caddycmd.Command{
	Name:  "store",
	Usage: "check|compact [<file>], copy <from> <to>",
	Short: "Checks, compacts and copies session stores",
	Long: `
check and compact work on the file of store bolt, which by default is the one in
Caddy's data directory. The gateway must be stopped: the file belongs to one
process. copy moves from a file to Redis and back.`,
	CobraFunc: func(cmd *cobra.Command) {
		usage.RequireSubcommand(cmd)
		cmd.AddCommand(
			copyCommand(),
			&cobra.Command{Use: "check [<file>]", Short: "Checks the whole file and reports problems", Args: cobra.MaximumNArgs(1),
				RunE: func(cmd *cobra.Command, args []string) error { return checkStore(cmd.OutOrStdout(), args) }},
			&cobra.Command{Use: "compact [<file>]", Short: "Shrinks the file to what is in use", Args: cobra.MaximumNArgs(1),
				RunE: func(cmd *cobra.Command, args []string) error { return compactStore(cmd.OutOrStdout(), args) }},
		)
	},
}

// storePath returns the file that the arguments name, or the default file.
func storePath(args []string) (string, error) {
	if len(args) == 0 {
		return app.BoltPath("")
	}
	return app.BoltPath(args[0])
}

func checkStore(out io.Writer, args []string) error {
	path, err := storePath(args)
	if err != nil {
		return err
	}
	report, err := bolt.Check(path)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "%s: schema %d, %d bytes, %s of %s, %s, %s\n",
		path, report.Schema, report.Bytes, table.Count(report.Sessions, "session"), table.Count(report.Users, "user"),
		table.Count(report.Keys, "session key"), table.Count(report.Revocations, "revocation"))
	for _, problem := range report.Problems {
		_, _ = fmt.Fprintln(out, "problem:", problem)
	}
	if len(report.Problems) > 0 {
		return errors.New("the file is damaged; restore a backup, or remove it: users then log in again without noticing")
	}
	return nil
}

func compactStore(out io.Writer, args []string) error {
	path, err := storePath(args)
	if err != nil {
		return err
	}
	before, after, err := bolt.Compact(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %d bytes before, %d after\n", path, before, after)
	return err
}

// copyCommand returns the command `wxgate store copy`.
func copyCommand() *cobra.Command {
	var config, adapter string
	cmd := &cobra.Command{
		Use:   "copy <from> <to>",
		Short: "Copies sessions, session keys, revocations and signing keys to another store",
		Long: `
Copies from bolt:[<path>] to redis:[<url>], or back. The gateway that uses the
first must be stopped. Nothing is taken away there, and the copy may be repeated.
Events and pushes that wait are not copied: let the queues become empty first.

The configuration names the root secret and Caddy's storage, where the signing
keys are that belong to a file. Without a path or URL, a store is the
configuration's own: redis: is best written so, because a password in a command
line is seen by every process. A URL may hold placeholders, {env.X} or {file.X}.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if ctx == nil {
				ctx = context.Background()
			}
			return offline.CopyStore(ctx, cmd.OutOrStdout(), config, adapter, args[0], args[1])
		},
	}
	cmd.Flags().StringVarP(&config, "config", "c", "", "Configuration file of the gateway")
	cmd.Flags().StringVarP(&adapter, "adapter", "a", "", "Adapter of the configuration file")
	return cmd
}
