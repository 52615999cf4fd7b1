// Package version has the version of wxgate. `wxgate version`, the metrics, the admin API
// and the release script all take it from here.
package version

import (
	"runtime/debug"
	"strings"
)

// Number is the semantic version (semver.org) of this source tree: that of the latest
// release in CHANGELOG.md. A build between two releases differs from the release by its
// commit.
const Number = "0.1.0"

const (
	modulePath   = "github.com/wxgate/wxgate"
	caddyPath    = "github.com/caddyserver/caddy/v2"
	commitLength = 12 // characters, as in a pseudo-version of Go
)

// String returns the number and, if it is known, the commit: "0.1.0 (df82ebd4f1c2)".
func String() string {
	commit := Commit()
	if commit == "" {
		return Number
	}
	return Number + " (" + commit + ")"
}

// Commit returns the first 12 characters of the commit that the binary was built from, with
// "+dirty" if the tree had other changes. It is empty if the go command did not record it:
// in a test, and in a build without a repository.
func Commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return commitOf(info)
}

// Caddy returns the version of Caddy that the binary has, such as v2.11.9; "unknown" if the
// go command did not record it.
func Caddy() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	return caddyOf(info)
}

const unknown = "unknown"

func caddyOf(info *debug.BuildInfo) string {
	for _, module := range info.Deps {
		switch {
		case module.Path != caddyPath:
		case module.Replace == nil:
			return module.Version
		case module.Replace.Version != "":
			return module.Replace.Version + " of " + module.Replace.Path
		default:
			return module.Replace.Path
		}
	}
	return unknown
}

func commitOf(info *debug.BuildInfo) string {
	if info.Main.Path == modulePath {
		return recordedCommit(info.Settings)
	}
	// wxgate is a module of another Caddy, whose commit is not wxgate's.
	for _, module := range info.Deps {
		if module.Path == modulePath {
			return pseudoCommit(module.Version)
		}
	}
	return ""
}

func recordedCommit(settings []debug.BuildSetting) string {
	var commit, suffix string
	for _, setting := range settings {
		switch setting.Key {
		case "vcs.revision":
			commit = setting.Value[:min(len(setting.Value), commitLength)]
		case "vcs.modified":
			if setting.Value == "true" {
				suffix = "+dirty"
			}
		}
	}
	if commit == "" {
		return ""
	}
	return commit + suffix
}

// pseudoCommit returns the commit in a version that the go command made of one, such as
// v0.1.1-0.20261128194200-df82ebd4f1c2; empty for a released version.
func pseudoCommit(version string) string {
	const timeLength = len("20261128194200")
	rest, commit, _ := cutLast(version)
	_, timestamp, ok := cutLast(strings.ReplaceAll(rest, ".", "-"))
	if !ok || len(timestamp) != timeLength || len(commit) != commitLength {
		return ""
	}
	return commit
}

// cutLast cuts s around its last hyphen.
func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
