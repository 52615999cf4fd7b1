package main

import (
	"strings"
	"testing"
)

// TestDocumentedBench parses every command line of `wxgate bench` in the documents: its
// flags exist, and their values are of the right type.
func TestDocumentedBench(t *testing.T) {
	n := 0
	for name, text := range documents(t) {
		for _, b := range fencedBlocks(text, "sh") {
			for line := range strings.Lines(b.text) {
				args, ok := strings.CutPrefix(strings.TrimSpace(line), "./wxgate bench")
				if !ok {
					continue
				}
				args, _, _ = strings.Cut(args, "#") // a comment
				n++
				cmd, rest, err := newRoot().Find(append([]string{"bench"}, strings.Fields(args)...))
				if err == nil {
					err = cmd.ParseFlags(rest)
				}
				if err != nil || cmd.Flags().NArg() > 0 {
					t.Errorf("%s: %s: %v, arguments %q", name, line, err, cmd.Flags().Args())
				}
			}
		}
	}
	if n == 0 {
		t.Error("no document has a command line of wxgate bench")
	}
}
