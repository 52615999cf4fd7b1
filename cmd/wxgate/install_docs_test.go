package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstallCommands reads the commands of the pages about installing and upgrading, most
// of which require root or a cluster: the files of deploy that they name exist, and wxgate
// has the subcommands and flags.
func TestInstallCommands(t *testing.T) {
	files, commands := 0, 0
	for name, text := range installPages(t) {
		for _, b := range fencedBlocks(text, "sh") {
			for line := range strings.Lines(strings.ReplaceAll(b.text, "\\\n", "")) {
				for word := range strings.FieldsSeq(line) {
					if strings.HasPrefix(word, "deploy/") {
						files++
						if _, err := os.Stat(filepath.Join(moduleRoot, word)); err != nil {
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

// installPages are the pages whose commands are read, by name.
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

// ownArguments returns what follows wxgate in a command line; nil if it runs another command.
func ownArguments(line string) []string {
	line, _, _ = strings.Cut(line, " #")
	words := strings.Fields(line)
	for i, word := range words {
		switch {
		case word == "./wxgate" || word == "wxgate":
			return words[i+1:]
		case word == "sudo" || word == "-u" || i > 0 && words[i-1] == "-u":
		default:
			return nil
		}
	}
	return nil
}
