package main

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// profileFile is what `go build` optimizes wxgate with (PGO).
const profileFile = "default.pgo"

// newProfiles are CPU profiles of a wxgate under load that was built with -trimpath. They
// replace default.pgo:
//
//	go test -pgo=off -run TestProfile ./cmd/wxgate -profiles /path/to/a.pb,/path/to/b.pb
//
// docs/performance.md says how to make them.
var newProfiles = flag.String("profiles", "", "CPU profiles to make default.pgo from, separated by commas")

// TestProfile: the profile is one of wxgate, is small, and has no path of the machine that
// it was made on.
func TestProfile(t *testing.T) {
	t.Parallel()
	if *newProfiles != "" {
		writeProfile(t, strings.Split(*newProfiles, ","))
	}
	const maxBytes = 300 << 10
	if info, err := os.Stat(profileFile); err != nil || info.Size() > maxBytes {
		t.Errorf("the profile is larger than %d bytes, or missing: %v", maxBytes, err)
	}
	p := readProfile(t, profileFile)
	texts := slices.Clone(p.Comments)
	for _, m := range p.Mapping {
		texts = append(texts, m.File, m.BuildID, m.KernelRelocationSymbol)
	}
	guards := false
	for _, f := range p.Function {
		texts = append(texts, f.Name, f.SystemName, f.Filename)
		guards = guards || strings.HasSuffix(f.Name, "internal/gateway.(*Guard).decide")
	}
	for _, text := range texts {
		if filepath.IsAbs(text) || strings.Contains(text, `:\`) {
			t.Errorf("the profile has the path %s", text)
		}
	}
	if !guards {
		t.Error("the profile is not of a gateway under load")
	}
}

// writeProfile writes the sum of profiles without what names the machine: the path of the
// binary.
func writeProfile(t *testing.T, files []string) {
	t.Helper()
	profiles := make([]*profile.Profile, len(files))
	for i, file := range files {
		profiles[i] = readProfile(t, file)
	}
	sum, err := profile.Merge(profiles)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range sum.Mapping {
		m.File, m.BuildID = "", ""
	}
	out, err := os.Create(profileFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := sum.Write(out); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func readProfile(t *testing.T, file string) *profile.Profile {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	p, err := profile.Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
