package caddymodule_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// guideBlock returns the first code block of a language below a heading of a page in docs.
func guideBlock(t *testing.T, page, heading, language string) string {
	t.Helper()
	_, section, ok := strings.Cut(readDocument(t, page), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("docs/%s has no heading %q", page, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	_, block, ok := strings.Cut(section, "```"+language+"\n")
	if !ok {
		t.Fatalf("%q in docs/%s has no block of %s", heading, page, language)
	}
	block, _, _ = strings.Cut(block, "```")
	return block
}

// guideCaddyfile returns the Caddyfile below a heading as a template for a fixture: with the
// addresses of the fixture, the app of the simulator, and the store in the fixture's folder.
func guideCaddyfile(t *testing.T, page, heading string) string {
	t.Helper()
	block := guideBlock(t, page, heading, "caddyfile")
	const app, site = "app {env.WX_APPID} {env.WX_SECRET}", ":8080 {"
	if !strings.HasPrefix(block, "{\n") || strings.Count(block, app) != 1 || strings.Count(block, site) != 1 {
		t.Fatalf("the Caddyfile of %q in docs/%s has not one app and one site:\n%s", heading, page, block)
	}
	if !strings.Contains(block, "\n\t\tstore ") {
		block = strings.Replace(block, app, "store bolt {{.Dir}}/wxgate.db\n\t\t"+app, 1)
	}
	const known = "app wx0000000000000001 {env.WXGATE_TEST_SECRET} {\n\t\t\tapi {{.API}}\n"
	return "{\n\tadmin off\n\tpersist_config off\n\tstorage file_system {{.Dir}}/caddy\n" + strings.NewReplacer(
		app+" {\n", known, app+"\n", known+"\t\t}\n", site, "http://{{.Addr}} {", "127.0.0.1:9000", "{{.Upstream}}",
	).Replace(block[len("{\n"):])
}

// TestGuidesAdapt: every Caddyfile of these guides adapts unchanged.
func TestGuidesAdapt(t *testing.T) {
	for _, guide := range []string{"caddyfile.md", "events.md", "migration.md", "observability.md", "openapi.md", "platforms.md", "recipes.md", "verify.md", "web.md", "wechat.md"} {
		text, err := os.ReadFile(filepath.Join("..", "docs", guide))
		if err != nil {
			t.Fatal(err)
		}
		blocks := strings.Split(string(text), "```caddyfile\n")[1:]
		if len(blocks) == 0 {
			t.Errorf("%s has no Caddyfile", guide)
		}
		for _, block := range blocks {
			caddyfile, _, _ := strings.Cut(block, "```")
			_, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
			if err != nil || len(warnings) > 0 {
				t.Errorf("%s: %v %v in\n%s", guide, err, warnings, caddyfile)
			}
		}
	}
}
