package internal_test

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestGrammars compares the grammars of the directives on the pages with those above their
// parsers: an option that a page does not show is an option that readers don't find.
func TestGrammars(t *testing.T) {
	for _, g := range []struct{ page, parser, directive string }{
		{"verify.md", "caddymodule/handler/caddyfile_verify.go", "wxgate_verify"},
		{"openapi.md", "caddymodule/openapi/caddyfile.go", "wxgate_openapi"},
	} {
		want := grammar(t, g.parser, `//	`, g.directive)
		for _, folder := range []string{"docs", "docs/zh"} {
			file := path.Join(folder, g.page)
			if got := grammar(t, file, `    `, g.directive); !slices.Equal(got, want) {
				t.Errorf("%s has the grammar\n%s\nbut %s has\n%s", file, strings.Join(got, "\n"), g.parser, strings.Join(want, "\n"))
			}
		}
	}
}

// grammar is the grammar of a directive in a file, whose lines begin with a prefix there,
// without comments and alignment.
func grammar(t *testing.T, file, prefix, directive string) []string {
	t.Helper()
	text, err := os.ReadFile(path.Join(moduleRoot, file))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?ms)^` + prefix + directive + ` \[.*?^` + prefix + `\}$`).FindString(string(text))
	if block == "" {
		t.Fatalf("%s has no grammar of %s", file, directive)
	}
	var lines []string
	for line := range strings.Lines(block) {
		line, _, _ = strings.Cut(strings.TrimPrefix(line, prefix), " # ")
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}
