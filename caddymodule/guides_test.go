package caddymodule_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// TestGuidesAdapt has every Caddyfile of these guides adapt as it is printed.
func TestGuidesAdapt(t *testing.T) {
	for _, guide := range []string{"openapi.md", "platforms.md", "verify.md", "wechat.md"} {
		text, err := os.ReadFile(filepath.Join("..", "docs", guide))
		if err != nil {
			t.Fatal(err)
		}
		blocks := strings.Split(string(text), "```caddyfile\n")[1:]
		if len(blocks) == 0 {
			t.Errorf("%s shows no Caddyfile", guide)
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
