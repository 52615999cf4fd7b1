package admin

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// suggestionDistance is how many letters a misspelled subcommand may differ by and
// still be recognized, as for Cobra's own suggestions.
const suggestionDistance = 2

// RequireSubcommand makes a command that only groups other commands fail unless one
// of them is named. Cobra alone prints the help and exits with 0, so that a script
// with a misspelled `wxgate keys retier` would believe that the key was retired.
func RequireSubcommand(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = suggestionDistance
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, sub := range cmd.Commands() {
			names = append(names, sub.Name())
		}
		expected := "expected one of: " + strings.Join(names, ", ")
		if len(args) == 0 {
			return fmt.Errorf("%s: missing subcommand; %s", cmd.CommandPath(), expected)
		}
		if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
			expected = fmt.Sprintf("did you mean %q?", similar[0])
		}
		return fmt.Errorf("%s: unknown subcommand %q; %s", cmd.CommandPath(), args[0], expected)
	}
}
