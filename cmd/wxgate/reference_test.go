package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wxgate/wxgate/caddymodule/command"
)

var updateReference = flag.Bool("update-reference", false, "write docs/reference.md")

// TestReference compares docs/reference.md with the page that is generated from the code. After
// a change of an option, a command, an error code, a metric or a placeholder, write it again:
//
//	go test ./cmd/wxgate -run TestReference -update-reference
func TestReference(t *testing.T) {
	wantReference(t, "docs/reference.md", referencePage(t))
}

// wantReference compares a page with the generated page, or writes it.
func wantReference(t *testing.T, page, want string) {
	t.Helper()
	name := filepath.Join(moduleRoot, filepath.FromSlash(page))
	if *updateReference {
		if err := os.WriteFile(name, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s differs from the code: go test ./cmd/wxgate -run TestReference -update-reference", page)
	}
}

func referencePage(t *testing.T) string {
	t.Helper()
	source := parseSource(t)
	var b strings.Builder
	b.WriteString("# Reference\n\n" +
		"Every command, option, error code, placeholder and metric. A test compares this page with the code. The other\n" +
		"pages explain them: [caddyfile.md](caddyfile.md), [api.md](api.md), [sessions.md](sessions.md).\n\n")
	b.WriteString("## Commands\n\nCaddy's commands are not listed: `wxgate help`.\n\n")
	writeTable(&b, []string{"command", "what it does", "flags"}, commandRows())
	b.WriteString("## Configuration\n\nThe fields of the JSON configuration. [caddyfile.md](caddyfile.md) has the same options as Caddyfile.\n\n")
	for _, module := range source.modules {
		fmt.Fprintf(&b, "### %s\n\n", module.title)
		writeTable(&b, []string{"field", "meaning"}, module.fields)
	}
	b.WriteString("## Error codes\n\nThe member `code` of a problem document. [api.md](api.md#errors) has the causes, [sessions.md](sessions.md) what a client does.\n\n")
	writeTable(&b, []string{"code", "status"}, source.codes)
	b.WriteString("## Placeholders\n\n")
	writeTable(&b, []string{"placeholder"}, source.placeholders)
	b.WriteString("## Metrics, log lines and events\n\n[observability.md](observability.md) has every log line with its fields, every event, and what the labels are.\n\n")
	writeTable(&b, []string{"metric", "labels", "meaning"}, source.metrics)
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// commandRows returns wxgate's commands, with their flags.
func commandRows() [][]string {
	ours := map[string]bool{}
	for _, c := range command.Commands() {
		ours[c.Name] = true
	}
	var rows [][]string
	for _, cmd := range newRoot().Commands() {
		if ours[cmd.Name()] {
			rows = append(rows, leafRows(cmd)...)
		}
	}
	return rows
}

// leafRows returns the row of a command, or the rows of its subcommands if it has any.
func leafRows(cmd *cobra.Command) [][]string {
	if cmd.HasSubCommands() {
		var rows [][]string
		for _, sub := range cmd.Commands() {
			if sub.Name() != "help" {
				rows = append(rows, leafRows(sub)...)
			}
		}
		return rows
	}
	var flags []string
	cmd.InheritedFlags() // merges them into Flags
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			flags = append(flags, "`--"+f.Name+"`")
		}
	})
	arguments := ""
	if _, rest, ok := strings.Cut(cmd.Use, " "); ok && !strings.HasPrefix(rest, "--") {
		arguments = " " + rest
	}
	return [][]string{{"`" + cmd.CommandPath() + arguments + "`", cmd.Short, strings.Join(flags, " ")}}
}

func writeTable(b *strings.Builder, head []string, rows [][]string) {
	rule := slices.Repeat([]string{"---"}, len(head))
	for _, row := range append([][]string{head, rule}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
	b.WriteString("\n")
}
