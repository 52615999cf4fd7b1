package caddymodule_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wxgate/wxgate/caddymodule/command"
)

// commandRow matches a table row of docs/commands.md about a command, and pageFlag a flag.
var (
	commandRow = regexp.MustCompile("(?m)^\\| `(wxgate [^`]*)`")
	pageFlag   = regexp.MustCompile(`--[a-z][a-z-]*`)
)

// commandsPage returns docs/commands.md, split into its head and its sections.
func commandsPage(t *testing.T) (head string, sections []string) {
	t.Helper()
	text, err := os.ReadFile("../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	sections = strings.Split(string(text), "\n## ")
	return sections[0], sections[1:]
}

// leafCommands returns wxgate's commands without subcommands, by their names, such as
// "wxgate keys list".
func leafCommands() map[string]*cobra.Command {
	leaves := map[string]*cobra.Command{}
	var walk func(name string, cmd *cobra.Command)
	walk = func(name string, cmd *cobra.Command) {
		if !cmd.HasSubCommands() {
			leaves[name] = cmd
		}
		for _, sub := range cmd.Commands() {
			walk(name+" "+sub.Name(), sub)
		}
	}
	for _, c := range command.Commands() {
		cmd := &cobra.Command{Use: c.Name}
		c.CobraFunc(cmd)
		walk("wxgate "+c.Name, cmd)
	}
	return leaves
}

// flagsOf returns the visible flags of a command, including those of its group.
func flagsOf(cmd *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" {
			names = append(names, "--"+f.Name)
		}
	}
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	return names
}

// TestCommandsPage: docs/commands.md has exactly the existing commands with their flags.
func TestCommandsPage(t *testing.T) {
	leaves := leafCommands()
	head, sections := commandsPage(t)
	documented := map[string]bool{}
	for _, section := range sections {
		for _, row := range commandRow.FindAllStringSubmatch(section, -1) {
			name, rest := splitCommand(leaves, row[1])
			cmd := leaves[name]
			if cmd == nil {
				t.Errorf("docs/commands.md has %q, which is not a command", row[1])
				continue
			}
			documented[name] = true
			flags := flagsOf(cmd)
			for _, flag := range pageFlag.FindAllString(rest, -1) {
				if !slices.Contains(flags, flag) {
					t.Errorf("docs/commands.md has %s for %s, which is not a flag", flag, name)
				}
			}
			for _, flag := range flags {
				if mentioned := pageFlag.FindAllString(head+section, -1); !slices.Contains(mentioned, flag) {
					t.Errorf("%s has the flag %s, which its section of docs/commands.md does not have", name, flag)
				}
			}
		}
	}
	for name := range leaves {
		if !documented[name] {
			t.Errorf("docs/commands.md has no row for %s", name)
		}
	}
}

// splitCommand returns the command at the beginning of a row, and the rest of the row.
func splitCommand(leaves map[string]*cobra.Command, row string) (name, rest string) {
	fields := strings.Fields(row)
	for n := len(fields); n > 0; n-- {
		if name := strings.Join(fields[:n], " "); leaves[name] != nil {
			return name, strings.Join(fields[n:], " ")
		}
	}
	return "", row
}
