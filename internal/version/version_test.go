package version

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

func TestCommit(t *testing.T) {
	own := debug.Module{Path: modulePath, Version: "(devel)"}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "df82ebd4f1c2a7b9e0d1df82ebd4f1c2a7b9e0d1"}
	other := func(version string) *debug.BuildInfo {
		return &debug.BuildInfo{
			Main: debug.Module{Path: "caddy"}, Settings: []debug.BuildSetting{revision},
			Deps: []*debug.Module{{Path: "example.com/x", Version: "v1.0.0"}, {Path: modulePath, Version: version}},
		}
	}
	for name, c := range map[string]struct {
		info *debug.BuildInfo
		want string
	}{
		"own build":            {&debug.BuildInfo{Main: own, Settings: []debug.BuildSetting{revision, {Key: "vcs.modified", Value: "false"}}}, "df82ebd4f1c2"},
		"own build, modified":  {&debug.BuildInfo{Main: own, Settings: []debug.BuildSetting{revision, {Key: "vcs.modified", Value: "true"}}}, "df82ebd4f1c2+dirty"},
		"no repository":        {&debug.BuildInfo{Main: own}, ""},
		"other Caddy, commit":  {other("v0.1.1-0.20261128194200-0123456789ab"), "0123456789ab"},
		"other Caddy, no tag":  {other("v0.0.0-20261128194200-0123456789ab"), "0123456789ab"},
		"other Caddy, release": {other("v0.1.0"), ""},
		"pre-release":          {other("v0.2.0-rc-1"), ""},
		"wxgate is replaced":   {other("(devel)"), ""},
	} {
		if got := commitOf(c.info); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestCaddy(t *testing.T) {
	for want, module := range map[string]*debug.Module{
		"v2.11.9":                     {Path: caddyPath, Version: "v2.11.9"},
		"v2.12.0 of example.com/fork": {Path: caddyPath, Version: "v2.11.9", Replace: &debug.Module{Path: "example.com/fork", Version: "v2.12.0"}},
		"../caddy":                    {Path: caddyPath, Version: "v2.11.9", Replace: &debug.Module{Path: "../caddy"}},
		"unknown":                     {Path: "example.com/x", Version: "v1.0.0"},
	} {
		info := &debug.BuildInfo{Deps: []*debug.Module{{Path: "example.com/y", Version: "v0.1.0"}, module}}
		if got := caddyOf(info); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestString: the test itself is built without a commit.
func TestString(t *testing.T) {
	want := Number
	if commit := Commit(); commit != "" {
		want += " (" + commit + ")"
	}
	if got := String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestChangelog: CHANGELOG.md has the form of Keep a Changelog 1.1.0, and its latest release
// is this version.
func TestChangelog(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := []string{"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
	upgrading := regexp.MustCompile(`^Upgrading from \d+\.\d+\.\d+$`)
	release := regexp.MustCompile(`^\[(\d+\.\d+\.\d+)\] - (20\d\d-[01]\d-[0-3]\d)$`)
	var releases []string
	unreleased, kind := 0, ""
	for i, line := range strings.Split(string(text), "\n") {
		heading, isRelease := strings.CutPrefix(line, "## ")
		section, isKind := strings.CutPrefix(line, "### ")
		switch {
		case line == "## [Unreleased]" && len(releases) == 0:
			unreleased++
		case isRelease:
			match := release.FindStringSubmatch(heading)
			if match == nil {
				t.Errorf("CHANGELOG.md:%d: the heading %q is not [x.y.z] - YYYY-MM-DD", i+1, heading)
				continue
			}
			releases, kind = append(releases, match[1]), ""
		case isKind:
			kind = section
			if !slices.Contains(kinds, kind) && !upgrading.MatchString(kind) {
				t.Errorf("CHANGELOG.md:%d: %q is none of %v", i+1, kind, kinds)
			}
		case strings.HasPrefix(line, "- ") && kind == "":
			t.Errorf("CHANGELOG.md:%d: a change without a heading such as Added", i+1)
		}
	}
	if unreleased != 1 || len(releases) == 0 || releases[0] != Number {
		t.Errorf("Unreleased appears %d times before the releases %v; the latest must be %s", unreleased, releases, Number)
	}
}
