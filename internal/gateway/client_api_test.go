package gateway

import (
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestClientAPIHasEveryCall: docs/client-api.yaml has the calls of the login API with their
// methods, and no others. It omits the calls for WeChat and for old SDKs. The calls below web
// are not in a table: TestClientContract tests the documented ones.
func TestClientAPIHasEveryCall(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromFile("../../docs/client-api.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var documented, served []string
	for path, item := range doc.Paths.Map() {
		if strings.HasPrefix(path, "/web/") {
			continue
		}
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	whole := newSite(t, func(_ *site, c *Config) { c.Prefix, c.Prefetch = "", "/boot" })
	for path, e := range whole.gateway.endpoints {
		served = append(served, e.method+" "+path)
	}
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("docs/client-api.yaml has\n%s\nand the gateway\n%s", strings.Join(documented, "\n"), strings.Join(served, "\n"))
	}
}
