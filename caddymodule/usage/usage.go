// Package usage makes commands refuse unknown flags and wrong arguments with exit code 2, and
// suggest a name for a misspelled one.
package usage

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// suggestionDistance is the maximum edit distance between a misspelled name and a suggestion,
// as for Cobra's own suggestions.
const suggestionDistance = 2

// Error is a usage error: an unknown flag, command or subcommand, or a missing argument.
type Error struct{ error }

// Unwrap returns the cause.
func (e Error) Unwrap() error { return e.error }

// ExitCode is the exit code of the binary wxgate.
func (Error) ExitCode() int {
	const usual = 2 // of commands, for wrong arguments
	return usual
}

// Wrap makes an error a usage error. It returns nil for nil.
func Wrap(err error) error {
	if err == nil {
		return nil
	}
	if wrapped, ok := errors.AsType[Error](err); ok {
		return wrapped
	}
	return Error{err}
}

// Errorf is [fmt.Errorf] for usage errors.
func Errorf(format string, args ...any) error { return Error{fmt.Errorf(format, args...)} }

// Strict makes a command and its subcommands return an [Error] for unknown flags and wrong
// arguments, with a suggestion for a misspelled flag.
func Strict(cmd *cobra.Command) {
	explain := cmd.FlagErrorFunc()
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return Wrap(suggestFlag(cmd, explain(cmd, err))) })
	if args := cmd.Args; args != nil {
		cmd.Args = func(cmd *cobra.Command, given []string) error { return Wrap(args(cmd, given)) }
	}
	for _, sub := range cmd.Commands() {
		Strict(sub)
	}
}

// suggestFlag adds a suggestion to the error for an unknown flag.
func suggestFlag(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || unknown.GetSpecifiedShortnames() != "" || strings.Contains(err.Error(), "did you mean") {
		return err
	}
	// Cobra compares names of commands and exports nothing that does the same for flags.
	names := new(cobra.Command)
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		names.AddCommand(&cobra.Command{Use: flag.Name, Hidden: flag.Hidden, Run: func(*cobra.Command, []string) {}})
	})
	if similar := nearest(names, unknown.GetSpecifiedName()); similar != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, similar)
	}
	return err
}

// RequireSubcommand makes a command that only groups other commands fail unless one
// of them is named. Cobra alone prints the help and exits with 0, so that a script
// with a misspelled `wxgate keys retier` would believe that the key was retired.
func RequireSubcommand(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, sub := range cmd.Commands() {
			names = append(names, sub.Name())
		}
		expected := "expected one of: " + strings.Join(names, ", ")
		if len(args) == 0 {
			return Errorf("%s: missing subcommand; %s", cmd.CommandPath(), expected)
		}
		return unknownCommand(cmd, args[0], "subcommand", expected)
	}
}

// RequireCommand makes the root command refuse a command that does not exist. Without one, it
// prints its help.
func RequireCommand(root *cobra.Command) {
	root.Args = cobra.ArbitraryArgs
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return unknownCommand(cmd, args[0], "command", fmt.Sprintf("run %q for a list", cmd.CommandPath()+" --help"))
	}
}

func unknownCommand(cmd *cobra.Command, name, kind, expected string) error {
	if similar := nearest(cmd, name); similar != "" {
		expected = fmt.Sprintf("did you mean %q?", similar)
	}
	return Errorf("%s: unknown %s %q; %s", cmd.CommandPath(), kind, name, expected)
}

// nearest returns the subcommand of cmd that a misspelled name most likely means, or "". Of the
// names at the same distance it returns the shortest: Cobra also suggests every name that begins
// with the given one, and for `session` would list session-key before sessions.
func nearest(cmd *cobra.Command, name string) string {
	for cmd.SuggestionsMinimumDistance = 1; cmd.SuggestionsMinimumDistance <= suggestionDistance; cmd.SuggestionsMinimumDistance++ {
		if similar := cmd.SuggestionsFor(name); len(similar) > 0 {
			return slices.MinFunc(similar, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
		}
	}
	return ""
}
