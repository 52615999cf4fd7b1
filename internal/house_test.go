package internal_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

const (
	maxFolderFiles  = 20
	maxPackageLines = 2500
	maxCaddyPercent = 25 // of all lines that are no tests
)

// serverLibraries are what a file in a package that knows Caddy imports at least one of.
// A file that does not belongs to a package without Caddy.
var serverLibraries = []string{caddyModules, "github.com/spf13/cobra"}

// TestHouse keeps the house one to live in: small folders, and most code without Caddy.
func TestHouse(t *testing.T) {
	files, lines := map[string]int{}, map[string]int{}
	all, caddy := 0, 0
	for _, s := range sourceFiles(t) {
		if s.test {
			continue
		}
		n := bytes.Count(s.text, []byte("\n"))
		files[s.dir]++
		lines[s.dir] += n
		all += n
		if l, _ := layerOf(s.dir); !l.caddy {
			continue
		}
		caddy += n
		if s.dir != rooms && !slices.ContainsFunc(s.imports(), importsServer) {
			t.Errorf("%s imports neither Caddy nor cobra nor certmagic: move it into a package without them", s.name)
		}
	}
	for dir, n := range files {
		if n > maxFolderFiles {
			t.Errorf("%s has %d source files, at most %d are allowed", dir, n, maxFolderFiles)
		}
		if lines[dir] > maxPackageLines {
			t.Errorf("%s has %d lines, at most %d are allowed", dir, lines[dir], maxPackageLines)
		}
	}
	if percent := 100 * caddy / all; percent > maxCaddyPercent || caddy == 0 {
		t.Errorf("%d of %d lines are in packages that know Caddy, %d %%; at most %d %% are allowed", caddy, all, percent, maxCaddyPercent)
	}
}

func importsServer(path string) bool {
	return slices.ContainsFunc(serverLibraries, func(library string) bool { return strings.HasPrefix(path, library) })
}
