package main

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// agreesWithDockerfile compares the last stage of the Dockerfile, which the tests do not build,
// with the image that deploy/image makes.
func agreesWithDockerfile(t *testing.T, image imageLayout) {
	t.Helper()
	config := image.config.Config
	instructions := lastStage(t, readDeployed(t, "docker/Dockerfile"))
	files := map[string]layerFile{}
	for _, file := range image.layer {
		files["/"+strings.TrimSuffix(file.header.Name, "/")] = file
	}
	var labels, env []string
	for _, in := range instructions {
		switch in.name {
		case "FROM":
			equal(t, "FROM", in.rest, "scratch")
		case "USER":
			equal(t, "USER", in.rest, config.User)
		case "WORKDIR":
			equal(t, "WORKDIR", in.rest, config.WorkingDir)
		case "VOLUME":
			equal(t, "VOLUME", strings.Fields(in.rest), slices.Sorted(maps.Keys(config.Volumes)))
		case "EXPOSE":
			equal(t, "EXPOSE", strings.Fields(strings.ReplaceAll(in.rest+" ", " ", "/tcp ")), slices.Sorted(maps.Keys(config.ExposedPorts)))
		case "ENTRYPOINT":
			equal(t, "ENTRYPOINT", stringList(t, in.rest), config.Entrypoint)
		case "CMD":
			equal(t, "CMD", stringList(t, in.rest), config.Cmd)
		case "ENV":
			env = append(env, strings.Fields(in.rest)...)
		case "LABEL":
			for _, pair := range regexp.MustCompile(`(\S+)="([^"]*)"`).FindAllStringSubmatch(in.rest, -1) {
				labels = append(labels, pair[1])
				equal(t, "LABEL "+pair[1], pair[2], config.Labels[pair[1]])
			}
		case "COPY":
			copied(t, in.rest, files)
		default:
			t.Errorf("the test does not know %s %s", in.name, in.rest)
		}
	}
	equal(t, "ENV", env, config.Env)
	equal(t, "LABEL", slices.Sorted(slices.Values(labels)), slices.Sorted(maps.Keys(config.Labels)))
	if len(files) > 0 {
		t.Errorf("the Dockerfile does not copy %v", slices.Sorted(maps.Keys(files)))
	}
	names := map[string]bool{}
	for _, in := range instructions {
		names[in.name] = true
	}
	for _, name := range []string{"USER", "WORKDIR", "VOLUME", "EXPOSE", "ENTRYPOINT", "CMD"} {
		if !names[name] {
			t.Errorf("the Dockerfile has no %s", name)
		}
	}
}

// instruction is a line of a Dockerfile, such as USER 1:1.
type instruction struct{ name, rest string }

// lastStage returns the instructions from the last FROM on.
func lastStage(t *testing.T, dockerfile string) []instruction {
	t.Helper()
	dockerfile = regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(dockerfile, "")
	dockerfile = strings.ReplaceAll(dockerfile, "\\\n", " ")
	var stage []instruction
	for line := range strings.Lines(dockerfile) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		if name == "FROM" {
			stage = nil
		}
		stage = append(stage, instruction{name, strings.TrimSpace(rest)})
	}
	if len(stage) == 0 {
		t.Fatal("the Dockerfile is empty")
	}
	return stage
}

func stringList(t *testing.T, list string) []string {
	t.Helper()
	var items []string
	if err := json.Unmarshal([]byte(list), &items); err != nil {
		t.Errorf("%s is not a list of strings: %v", list, err)
	}
	return items
}

func equal(t *testing.T, what string, dockerfile, archive any) {
	t.Helper()
	if a, b := fmt.Sprintf("%q", dockerfile), fmt.Sprintf("%q", archive); a != b {
		t.Errorf("%s: the Dockerfile has %s, the archive %s", what, a, b)
	}
}

// copied compares a COPY with the file of that name, and removes the file from files.
func copied(t *testing.T, rest string, files map[string]layerFile) {
	t.Helper()
	fields := strings.Fields(rest)
	target := fields[len(fields)-1]
	file, ok := files[target]
	if !ok {
		t.Errorf("the archive has no %s", target)
		return
	}
	delete(files, target)
	owner, mode := "0:0", ""
	for _, field := range fields {
		if value, ok := strings.CutPrefix(field, "--chown="); ok {
			owner = value
		}
		if value, ok := strings.CutPrefix(field, "--chmod="); ok {
			mode = value
		}
	}
	equal(t, "owner of "+target, owner, fmt.Sprintf("%d:%d", file.header.Uid, file.header.Gid))
	if mode != "" {
		equal(t, "mode of "+target, mode, fmt.Sprintf("%o", file.header.Mode))
	}
	if isFolder := strings.HasSuffix(fields[len(fields)-2], "/empty"); isFolder != (file.header.Typeflag == tar.TypeDir) {
		t.Errorf("%s is a folder in only one of the two", target)
	}
}
