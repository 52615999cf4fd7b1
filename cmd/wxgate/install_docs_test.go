package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstallCommands checks the commands of the pages about installing and upgrading without
// running them, because most require root or a cluster: the files of deploy exist, and wxgate
// has the subcommands and flags.
func TestInstallCommands(t *testing.T) {
	files, commands := 0, 0
	for name, text := range installPages(t) {
		for _, b := range fencedBlocks(text, "sh") {
			for line := range strings.Lines(strings.ReplaceAll(b.text, "\\\n", "")) {
				for field := range strings.FieldsSeq(line) {
					if strings.HasPrefix(field, "deploy/") {
						files++
						if _, err := os.Stat(filepath.Join(moduleRoot, field)); err != nil {
							t.Errorf("%s: %s: %v", name, line, err)
						}
					}
				}
				if args := ownArguments(line); args != nil {
					commands++
					cmd, rest, err := newRoot().Find(args)
					if err == nil {
						err = cmd.ParseFlags(rest)
					}
					if err != nil {
						t.Errorf("%s: %s: %v", name, line, err)
					}
				}
			}
		}
	}
	if files == 0 || commands == 0 {
		t.Errorf("%d files and %d commands of wxgate found", files, commands)
	}
}

// installPages returns the pages whose commands are checked, by name.
func installPages(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"docs/install.md", "docs/upgrade.md", "deploy/*/README.md"} {
		names, err := filepath.Glob(filepath.Join(moduleRoot, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("no %s (%v)", pattern, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			texts[name] = string(text)
		}
	}
	return texts
}

// ownArguments returns the arguments of wxgate in a command line, or nil for another command.
func ownArguments(line string) []string {
	line, _, _ = strings.Cut(line, " #")
	fields := strings.Fields(line)
	for i, field := range fields {
		switch {
		case field == "./wxgate" || field == "wxgate":
			return fields[i+1:]
		case field == "sudo" || field == "-u" || i > 0 && fields[i-1] == "-u":
		default:
			return nil
		}
	}
	return nil
}
