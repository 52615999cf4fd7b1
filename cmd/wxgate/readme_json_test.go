package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// TestReadmeJSON: the JSON configuration of README.md is what its Caddyfile adapts
// to.
func TestReadmeJSON(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(moduleRoot, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	caddyfiles, examples := fencedBlocks(string(text), "caddyfile"), fencedBlocks(string(text), "json")
	if len(caddyfiles) != 1 || len(examples) != 1 {
		t.Fatalf("README.md has %d Caddyfiles and %d JSON examples, want one of each", len(caddyfiles), len(examples))
	}
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfiles[0].text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal([]byte(examples[0].text), &got); err != nil {
		t.Fatalf("README.md:%d: %v", examples[0].line, err)
	}
	if err := json.Unmarshal(adapted, &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("README.md:%d: the JSON example is not what the Caddyfile adapts to:\n%s", examples[0].line, adapted)
	}
}
