package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// block is a fenced block of a Markdown file.
type block struct {
	line int // of its first line
	text string
}

// fencedBlocks returns the fenced blocks of a language.
func fencedBlocks(markdown, language string) []block {
	var found []block
	var open *block
	info := ""
	for i, line := range strings.Split(markdown, "\n") {
		rest, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			open, info = &block{line: i + 2}, rest
		case isFence:
			if info == language {
				found = append(found, *open)
			}
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return found
}

// documents returns README.md, SKILL.md and the pages in client and docs, by their paths from
// the module's root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"README.md", "SKILL.md", "client/*.md", "docs/*.md"} {
		names, err := filepath.Glob(filepath.Join(moduleRoot, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("no %s (%v)", pattern, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			short, err := filepath.Rel(moduleRoot, name)
			if err != nil {
				t.Fatal(err)
			}
			texts[filepath.ToSlash(short)] = string(text)
		}
	}
	return texts
}

// TestDocumentedCaddyfiles adapts every Caddyfile of the documents without changes: there is no
// error and no warning.
func TestDocumentedCaddyfiles(t *testing.T) {
	n := 0
	for name, text := range documents(t) {
		for _, b := range fencedBlocks(text, "caddyfile") {
			n++
			_, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(b.text), map[string]any{"filename": "Caddyfile"})
			if err != nil || len(warnings) > 0 {
				t.Errorf("%s:%d: %v %v\n%s", name, b.line, err, warnings, b.text)
			}
		}
	}
	if n == 0 {
		t.Error("no Caddyfile found")
	}
}

// TestDocumentedJSON parses every JSON of the documents: blocks of json, and the bodies in
// blocks of http, which have a request, an empty line, and the status and body of the response.
func TestDocumentedJSON(t *testing.T) {
	n := 0
	body := regexp.MustCompile(`(?s)(?:^|\n)(?:\d{3} )?(\{.*)$`)
	for name, text := range documents(t) {
		var found []block
		for _, b := range fencedBlocks(text, "http") {
			for part := range strings.SplitSeq(b.text, "\n\n") {
				if m := body.FindStringSubmatch(part); m != nil {
					found = append(found, block{b.line, m[1]})
				}
			}
		}
		for _, b := range append(found, fencedBlocks(text, "json")...) {
			n++
			var v any
			if err := json.Unmarshal([]byte(b.text), &v); err != nil {
				t.Errorf("%s:%d: %v\n%s", name, b.line, err, b.text)
			}
		}
	}
	if n == 0 {
		t.Error("no JSON found")
	}
}
