package admin

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/usage"
	"github.com/wxgate/wxgate/internal/adminapi"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/table"
	"github.com/wxgate/wxgate/internal/token/keyring"
)

func keysCommand(cmd *cobra.Command) {
	t := group(cmd)
	cmd.AddCommand(listKeysCommand(t), rotateCommand(t), retireCommand(t))
}

func listKeysCommand(t *target) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "Lists the keys, oldest first", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return run(cmd, t, adminapi.ListKeys, adminapi.None{}, printKeys)
	}}
}

func rotateCommand(t *target) *cobra.Command {
	var in adminapi.RotateRequest
	cmd := &cobra.Command{Use: "rotate", Short: "Creates the next key, which signs after it was published long enough", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return run(cmd, t, adminapi.RotateKeys, in, func(out io.Writer, keys []adminapi.Key) error {
			_, err := fmt.Fprintln(out, rotateReport(keys))
			return errors.Join(err, printKeys(out, keys))
		})
	}
	cmd.Flags().BoolVar(&in.Immediate, "immediate", false, "Sign with the key at once; verifiers that cached the key set refuse its tokens until they fetch it again")
	return cmd
}

func retireCommand(t *target) *cobra.Command {
	cmd := &cobra.Command{Use: "retire <id>", Short: "Refuses all tokens of a key, such as one that leaked", Args: exactlyOneKey}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		in := adminapi.RetireRequest{Key: auth.KeyID(args[0])}
		return run(cmd, t, adminapi.RetireKey, in, func(out io.Writer, keys []adminapi.Key) error {
			_, err := fmt.Fprintf(out, "key %s is retired: its tokens are refused\n", in.Key)
			return errors.Join(err, printKeys(out, keys))
		})
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return fmt.Errorf("%w; %w", err, errKeyArgument)
	})
	return cmd
}

// errKeyArgument explains how to write an ID that begins with a hyphen, as one of 64 does:
// it is parsed as a flag.
var errKeyArgument = usage.Errorf("expected one key ID; if it begins with a hyphen, write: wxgate keys retire -- <id>")

func exactlyOneKey(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errKeyArgument
	}
	return nil
}

// rotateReport describes the result of a rotation. If the next key is already waiting to
// sign, a rotation creates no key.
func rotateReport(keys []adminapi.Key) string {
	verb := "exists already and"
	for _, key := range keys {
		if key.New {
			verb = "was made and"
		}
	}
	for _, key := range keys {
		if key.State == keyring.KeyNext {
			wait := time.Until(key.SignsFrom).Round(time.Second)
			return fmt.Sprintf("the next key %s %s signs from %s, in %s; --immediate has it sign at once",
				key.ID, verb, key.SignsFrom.Format(time.RFC3339), max(wait, 0))
		}
	}
	for _, key := range keys {
		if key.State == keyring.KeySigning {
			return fmt.Sprintf("key %s %s signs from now on", key.ID, verb)
		}
	}
	return "no key signs"
}

func printKeys(out io.Writer, keys []adminapi.Key) error {
	var rows [][]string
	for _, key := range keys {
		rows = append(rows, []string{
			string(key.ID), string(key.Alg), string(key.State), formatTime(key.SignsFrom), formatTime(key.VerifyUntil), key.Issuer,
		})
	}
	return table.Write(out, []string{"ID", "ALG", "STATE", "SIGNS FROM", "VERIFIES UNTIL", "ISSUER"}, rows)
}

// formatTime formats a time for a table; an unknown time is "-".
func formatTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.RFC3339)
}
