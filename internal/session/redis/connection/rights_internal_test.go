package connection

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNeededIsDocumented: SECURITY.md gives the ACL user exactly the rights that are checked, and
// those that the check itself needs.
func TestNeededIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^ *ACL SETUSER wxgate (.*)$`).FindSubmatch(page)
	if line == nil {
		t.Fatal("SECURITY.md has no ACL user wxgate")
	}
	var documented []string
	for word := range strings.FieldsSeq(string(line[1])) {
		if command, ok := strings.CutPrefix(word, "+"); ok {
			documented = append(documented, command)
		}
	}
	want := append(slices.Clone(needed), "eval", "evalsha")
	slices.Sort(documented)
	slices.Sort(want)
	if !slices.Equal(documented, want) {
		t.Errorf("SECURITY.md has %v, want %v", documented, want)
	}
}
