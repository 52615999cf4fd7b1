package caddymodule_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// startLine is the log line "wxgate started".
type startLine struct {
	Msg, Version, Store string
	SigningKey          string `json:"signing_key"`
	Apps, Sites, Made   []string
}

// startLines reads these lines from the log.
func (f *fixture) startLines() (lines []startLine) {
	f.t.Helper()
	for text := range strings.Lines(f.log()) {
		var line startLine
		if json.Unmarshal([]byte(text), &line) == nil && line.Msg == "wxgate started" {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestStartLine: a start logs one line with what runs and what was generated. A reload logs
// another line, with nothing generated.
func TestStartLine(t *testing.T) {
	f := newFixture(t, siteWith{global: logTo("INFO"), handler: "prefix /login"}.String()+`http://{{.Plain}} {
	wxgate_verify
}
`)
	f.config = strings.Replace(f.config, "prefix /login", "prefix /login2", 1)
	f.load()
	lines := f.startLines()
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2:\n%s", len(lines), f.log())
	}
	_, port, _ := strings.Cut(f.addr, ":")
	_, plain, _ := strings.Cut(f.plain, ":")
	for i, line := range lines {
		sites := []string{":" + port + " /login" + []string{"", "2"}[i], ":" + plain + " wxgate_verify"}
		slices.Sort(sites)
		if line.Version == "" || line.Store != "bolt "+f.databasePath() || line.SigningKey == "" || !slices.Equal(line.Apps, []string{"wx0000000000000001"}) || !slices.Equal(line.Sites, sites) {
			t.Errorf("line %d: %+v, want the sites %q", i, line, sites)
		}
	}
	made := lines[0].Made
	if len(made) != 2 || !strings.Contains(made[0], "root secret") || !strings.Contains(made[0], "back it up") || !strings.Contains(made[1], "signing key") {
		t.Errorf("made %q, want the root secret and a signing key", made)
	}
	if len(lines[1].Made) != 0 {
		t.Errorf("a reload made %q", lines[1].Made)
	}
}
