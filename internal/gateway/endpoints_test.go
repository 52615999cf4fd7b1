package gateway

import (
	"os"
	"regexp"
	"testing"

	"github.com/wxgate/wxgate/internal/gateway/metadata"
)

// TestDocumentedCalls: docs/api.md lists every call with its method.
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
			path = path[1:] // the table omits the prefix
		}
		if !regexp.MustCompile("`" + e.method + " " + regexp.QuoteMeta(path) + "`").Match(text) {
			t.Errorf("docs/api.md does not list %s %s", e.method, path)
		}
	}
}
