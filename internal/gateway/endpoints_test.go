package gateway

import (
	"os"
	"regexp"
	"testing"
)

// TestDocumentedCalls has docs/api.md name every call with its method.
func TestDocumentedCalls(t *testing.T) {
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	endpoints, err := newEndpoints("/")
	if err != nil {
		t.Fatal(err)
	}
	for path, e := range endpoints {
		if path != jwksPath {
			path = path[1:] // the table leaves the prefix out
		}
		if !regexp.MustCompile("`" + e.method + " " + regexp.QuoteMeta(path) + "`").Match(text) {
			t.Errorf("docs/api.md does not name %s %s", e.method, path)
		}
	}
}
