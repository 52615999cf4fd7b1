package gateway

import (
	"os"
	"regexp"
	"testing"

	"github.com/wxgate/wxgate/internal/gateway/metadata"
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
	m, err := metadata.New("https://example.com", KeySetPath, "/revoke")
	if err != nil {
		t.Fatal(err)
	}
	endpoints[m.Path] = metadataEndpoint
	for path, e := range endpoints {
		if path != KeySetPath && path != m.Path {
			path = path[1:] // the table leaves the prefix out
		}
		if !regexp.MustCompile("`" + e.method + " " + regexp.QuoteMeta(path) + "`").Match(text) {
			t.Errorf("docs/api.md does not name %s %s", e.method, path)
		}
	}
}
