package internal_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// pathInPage matches a file or package of the module in a page.
var pathInPage = regexp.MustCompile("`((?:cmd|caddymodule|internal|docs)/[a-zA-Z0-9_/.-]+)`")

// The files that docs/architecture.md, AGENTS.md and internal/mutants.md name exist.
func TestArchitectureNamesFiles(t *testing.T) {
	const atLeast = 5 // or the expression above finds nothing
	for _, page := range []string{"docs/architecture.md", "AGENTS.md", "internal/mutants.md"} {
		text, err := os.ReadFile(filepath.Join(moduleRoot, page))
		if err != nil {
			t.Fatal(err)
		}
		named := pathInPage.FindAllStringSubmatch(string(text), -1)
		if len(named) < atLeast {
			t.Errorf("%s names %d files, want at least %d", page, len(named), atLeast)
		}
		for _, match := range named {
			if _, err := os.Stat(filepath.Join(moduleRoot, match[1])); err != nil {
				t.Errorf("%s names %s: %v", page, match[1], err)
			}
		}
	}
}
