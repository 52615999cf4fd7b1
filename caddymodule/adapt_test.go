package caddymodule_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

var updateGoldens = flag.Bool("update", false, "rewrite what the golden files expect")

const (
	goldenFiles = "testdata/adapt/*.caddyfiletest"
	// goldenCut separates a Caddyfile from the JSON that it adapts to.
	goldenCut = "\n----------\n"
	// goldenMark ends the line that an error must name, so that a reader of a golden file
	// need not count lines.
	goldenMark = "# here"
)

// lineOfError matches the line that an error names.
var lineOfError = regexp.MustCompile(`\bCaddyfile:(\d+)`)

// adaptCaddyfile is `wxgate adapt`: it returns JSON indented with tabs, or an error. A
// warning, as for an unformatted file, fails the test.
func adaptCaddyfile(t *testing.T, caddyfile string) (string, error) {
	t.Helper()
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return "", err
	}
	if len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, config, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return b.String(), nil
}

// TestAdapt compares every option of the Caddyfile, and every error about an option, with a
// golden file: a Caddyfile, a line of dashes, and the JSON or the error.
// -update rewrites the part below the dashes.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob(filepath.FromSlash(goldenFiles))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no file matches %s", goldenFiles)
	}
	errors := 0
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			caddyfile, want, ok := strings.Cut(string(b), goldenCut)
			if !ok && !*updateGoldens {
				t.Fatal("no line of dashes")
			}
			got, err := adaptCaddyfile(t, caddyfile+"\n")
			if err != nil {
				errors++
				got = err.Error()
			}
			checkMark(t, caddyfile, got, err != nil)
			if *updateGoldens {
				if err := os.WriteFile(file, []byte(caddyfile+goldenCut+got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want = strings.TrimRight(want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
	if errors == 0 || errors == len(files) {
		t.Errorf("%d of %d golden files are errors; expected files of both kinds", errors, len(files))
	}
}

// checkMark fails the test unless an error names the marked line, and only files with a
// mark have errors.
func checkMark(t *testing.T, caddyfile, got string, failed bool) {
	t.Helper()
	marked := 0
	for i, line := range strings.Split(caddyfile, "\n") {
		if strings.HasSuffix(line, goldenMark) {
			if marked != 0 {
				t.Fatalf("lines %d and %d are both marked", marked, i+1)
			}
			marked = i + 1
		}
	}
	if (marked != 0) != failed {
		t.Fatalf("line %d is marked (0: none), failed = %v: %s", marked, failed, got)
	}
	if !failed {
		return
	}
	line := lineOfError.FindStringSubmatch(got)
	if line == nil {
		t.Fatalf("the error names no line: %s", got)
	}
	if n, _ := strconv.Atoi(line[1]); n != marked {
		t.Errorf("the error names line %d, the mark is on line %d: %s", n, marked, got)
	}
}
