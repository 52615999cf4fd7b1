package caddymodule

import (
	"errors"
	"fmt"
	"io"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/internal/session/bolt"
)

// storeSpec is `wxgate store`.
var storeSpec = caddycmd.Command{
	Name:  "store",
	Usage: "check|compact [<file>], copy <from> <to>",
	Short: "Checks, compacts and copies session stores",
	Long: `
check and compact work on the file of store bolt, which by default is the one in
Caddy's data directory. The gateway must be stopped: the file belongs to one
process. copy moves from a file to Redis and back.`,
	CobraFunc: func(cmd *cobra.Command) {
		RequireSubcommand(cmd)
		cmd.AddCommand(
			copyCommand(),
			&cobra.Command{Use: "check [<file>]", Short: "Checks the whole file and reports problems", Args: cobra.MaximumNArgs(1),
				RunE: func(cmd *cobra.Command, args []string) error { return checkStore(cmd.OutOrStdout(), args) }},
			&cobra.Command{Use: "compact [<file>]", Short: "Shrinks the file to what is in use", Args: cobra.MaximumNArgs(1),
				RunE: func(cmd *cobra.Command, args []string) error { return compactStore(cmd.OutOrStdout(), args) }},
		)
	},
}

// storePath is the file that is named, or the default one.
func storePath(args []string) (string, error) {
	cfg := StoreConfig{Kind: storeBolt}
	if len(args) > 0 {
		cfg.Path = args[0]
	}
	err := cfg.complete()
	return cfg.Path, err
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
	_, _ = fmt.Fprintf(out, "%s: schema %d, %d bytes, %d sessions of %d users, %d session keys, %d revocations\n",
		path, report.Schema, report.Bytes, report.Sessions, report.Users, report.Keys, report.Revocations)
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
