package problem

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sourceDetails returns the details that the source passes to the functions of this package,
// and those in named constants.
func sourceDetails(t *testing.T) (details []string) {
	t.Helper()
	calls := regexp.MustCompile(`(?:BadRequest|MethodNotAllowed|Forbidden|SetDetail)\(("(?:[^"\\]|\\.)*")|NotCanonical = (".*")|return (".*"), true`)
	for _, root := range []string{"../../internal", "../../caddymodule"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if !strings.Contains(path, "/problem/") && !strings.Contains(string(text), "internal/problem\"") && !strings.Contains(string(text), "NotCanonical") {
				return nil
			}
			for _, m := range calls.FindAllStringSubmatch(string(text), -1) {
				detail, err := strconv.Unquote(m[1] + m[2] + m[3])
				if err != nil {
					return err
				}
				details = append(details, detail)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return details
}

// TestChinese: each detail has a Chinese translation with the same names and format verbs, and
// the table has no others.
func TestChinese(t *testing.T) {
	details := append(sourceDetails(t), detailUnsupported, detailInternal)
	if len(details) < 40 {
		t.Fatalf("only %d details were found in the source", len(details))
	}
	for _, c := range classes {
		details = append(details, c.detail)
	}
	names := regexp.MustCompile(`%[a-z%]|[a-z]+_[a-z_]+|wx\.login|X-WX-[A-Z-a-z]+|Retry-After|getPhoneNumber|openId|userInfo`)
	for _, detail := range details {
		translated, ok := chinese[detail]
		if !ok {
			t.Errorf("no Chinese translation of %q", detail)
			continue
		}
		english, other := names.FindAllString(detail, -1), names.FindAllString(translated, -1)
		slices.Sort(english)
		slices.Sort(other)
		for _, name := range slices.Compact(english) {
			if !slices.Contains(other, name) {
				t.Errorf("the Chinese translation of %q has no %s", detail, name)
			}
		}
	}
	for detail := range chinese {
		if !slices.Contains(details, detail) {
			t.Errorf("no source has the detail %q", detail)
		}
	}
}
