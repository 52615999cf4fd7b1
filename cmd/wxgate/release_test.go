package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/version"
)

// TestRelease makes the release of one target in two folders: the files are the same. The
// archive has a binary that runs, the SBOM has the compiled modules, and the image runs as the
// Dockerfile describes. The subtests share the builds, which take most of the time.
func TestRelease(t *testing.T) {
	target := "linux/" + runtime.GOARCH
	first, second := makeRelease(t, target), makeRelease(t, target)
	if !bytes.Equal(first["SHA256SUMS"], second["SHA256SUMS"]) {
		t.Errorf("two builds differ:\n%s%s", first["SHA256SUMS"], second["SHA256SUMS"])
	}
	name := "wxgate-" + version.Number + "-linux-" + runtime.GOARCH
	for _, file := range []string{".tar.gz", ".sbom.json", ".oci.tar"} {
		if len(first[name+file]) == 0 || !strings.Contains(string(first["SHA256SUMS"]), "  "+name+file+"\n") {
			t.Errorf("no %s, or no checksum of it", name+file)
		}
	}
	t.Run("SBOM", func(t *testing.T) { checkSBOM(t, first[name+".sbom.json"]) })
	t.Run("archive", func(t *testing.T) { checkArchive(t, name, first[name+".tar.gz"]) })
	image := readLayout(t, first[name+".oci.tar"])
	t.Run("image agrees with the Dockerfile", func(t *testing.T) { agreesWithDockerfile(t, image) })
	t.Run("image runs", func(t *testing.T) { runImage(t, image) })
}

func checkArchive(t *testing.T, name string, archive []byte) {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]layerFile{}
	for _, file := range untar(t, unzipped) {
		if file.header.Typeflag == tar.TypeReg {
			files[strings.TrimPrefix(file.header.Name, name+"/")] = file
		}
	}
	for _, want := range []string{"LICENSE", "README.md", "CHANGELOG.md", "docs/install.md", "docs/upgrade.md", "README.zh-CN.md", "SECURITY.zh-CN.md", "docs/zh/install.md", "Caddyfile.example", "deploy/systemd/wxgate.service"} {
		if len(files[want].content) == 0 {
			t.Errorf("the archive has no %s", want)
		}
	}
	binary := filepath.Join(t.TempDir(), "wxgate")
	if err := os.WriteFile(binary, files["wxgate"].content, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), binary, "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "wxgate "+version.Number) {
		t.Errorf("the binary prints %q, %v", out, err)
	}
}

// makeRelease copies the tree to a new folder, runs deploy/release there and returns its files.
func makeRelease(t *testing.T, target string) map[string][]byte {
	t.Helper()
	tree, out := t.TempDir(), t.TempDir()
	const copyTree = `git ls-files -z --cached --others --exclude-standard --deduplicate | tar --ignore-failed-read --null -T - -cf - | tar -C "$0" -xf -`
	for _, command := range []*exec.Cmd{
		exec.CommandContext(t.Context(), "bash", "-c", copyTree, tree),
		exec.CommandContext(t.Context(), filepath.Join(tree, "deploy", "release"), out, target),
	} {
		command.Dir = moduleRoot
		command.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1800000000")
		if printed, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, printed)
		}
	}
	names, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if files[name.Name()], err = os.ReadFile(filepath.Join(out, name.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// checkSBOM checks that the SBOM has wxgate's version and its modules.
func checkSBOM(t *testing.T, text []byte) {
	t.Helper()
	type component struct{ Name, Version string }
	var sbom struct {
		BOMFormat  string
		Metadata   struct{ Component component }
		Components []component
	}
	if err := json.Unmarshal(text, &sbom); err != nil {
		t.Fatal(err)
	}
	if sbom.BOMFormat != "CycloneDX" || sbom.Metadata.Component != (component{"github.com/wxgate/wxgate", "v" + version.Number}) {
		t.Errorf("the SBOM is a %s of %+v", sbom.BOMFormat, sbom.Metadata.Component)
	}
	for _, module := range []string{"github.com/caddyserver/caddy/v2", "go.etcd.io/bbolt", "std"} {
		if !slices.ContainsFunc(sbom.Components, func(c component) bool { return c.Name == module && c.Version != "" }) {
			t.Errorf("the SBOM has no version of %s", module)
		}
	}
}
