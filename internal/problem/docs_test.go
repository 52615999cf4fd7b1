package problem

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocumentedErrors holds the table of docs/api.md to the one that answers:
// each code with its status, in both directions, and the advice for a bug of ours,
// which no request can bring about. TestDocumentedCodes drives all the others.
func TestDocumentedErrors(t *testing.T) {
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, answered []string
	for _, row := range regexp.MustCompile("(?m)^\\| (?:<a id=\"[^\"]*\"></a>)?`([a-z_]+)` \\| (\\d{3}) \\|").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, row[2]+" "+row[1])
	}
	for _, c := range classes {
		answered = append(answered, fmt.Sprintf("%d %s", c.status, c.code))
	}
	unknown := Of(os.ErrInvalid) // of no class
	answered = append(answered, fmt.Sprintf("%d %s", unknown.Status, unknown.Code))
	if !regexp.MustCompile("`internal` \\| 500 \\|[^|]*\\| Contact its operator. \\|").Match(text) || !strings.HasSuffix(unknown.Detail, " Contact its operator.") {
		t.Errorf("docs/api.md and the detail %q give other advice", unknown.Detail)
	}
	slices.Sort(documented)
	slices.Sort(answered)
	if !slices.Equal(documented, answered) {
		t.Errorf("docs/api.md has\n%q\nthe gateway answers\n%q", documented, answered)
	}
}
