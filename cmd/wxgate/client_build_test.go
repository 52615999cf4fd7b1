package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/version"
)

// maxClientBytes is how much the client may add to a mini program, whose package has 2 MB at
// most. Minified, as WeChat's tools upload it.
const maxClientBytes = 10 << 10

// clientTools returns a folder with the tools that build the client.
func clientTools(t *testing.T) string {
	t.Helper()
	return npmTools(t, clientFolder, "WXGATE_CLIENT_TOOLS")
}

// npmTools returns a folder with the npm packages of a lock file, which has their hashes.
// .ci/run installs them and names the folder in a variable; elsewhere npm installs them here.
func npmTools(t *testing.T, lockFolder, variable string) string {
	t.Helper()
	if dir := os.Getenv(variable); dir != "" {
		return dir
	}
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs node, with npm: %v", err)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		text, err := os.ReadFile(filepath.Join(lockFolder, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--silent", "--no-audit", "--no-fund")
	npm.Dir = dir
	if err := npm.Run(); err != nil { // what npm said would name its registry
		t.Skipf("needs a registry that npm reaches: npm ci: %v", err)
	}
	return dir
}

// TestClientIsBuilt builds the package from its source and compares: what is committed is what
// is published. It also compiles the types as a user's program does.
func TestClientIsBuilt(t *testing.T) {
	tools, err := filepath.Abs(clientTools(t))
	if err != nil {
		t.Fatal(err)
	}
	built := t.TempDir()
	sizes := runIn(t, clientFolder, []string{"CLIENT_TOOLS=" + tools}, "node", "build.mjs", built)
	for line := range strings.Lines(sizes) {
		var name string
		var size int
		if n, err := fmt.Sscan(line, &name, &size); n != 2 || size == 0 || size > maxClientBytes {
			t.Errorf("minified: %q (%v), at most %d bytes are allowed", line, err, maxClientBytes)
		}
	}
	if strings.Count(sizes, "\n") != 2 {
		t.Errorf("the build printed %q, want two sizes", sizes)
	}
	for _, folder := range []string{"dist", "esm"} {
		now, committed := filesBelow(t, filepath.Join(built, folder)), filesBelow(t, filepath.Join(clientFolder, folder))
		for name := range committed {
			if _, ok := now[name]; !ok {
				t.Errorf("client/%s/%s is not built any more: delete it", folder, name)
			}
		}
		for name, text := range now {
			if !bytes.Equal(text, committed[name]) {
				t.Errorf("client/%s/%s is not what the source builds: run node build.mjs . in client", folder, name)
			}
		}
	}
	typescript := filepath.Join(tools, "node_modules", ".bin", "tsc")
	runIn(t, clientFolder, nil, typescript, "-p", "test")
	runIn(t, clientFolder, nil, typescript, "-p", "test", "--module", "esnext", "--moduleResolution", "bundler")
}

// TestClientPackageFiles: npm publishes what users need and nothing else, under the version of
// the gateway that it was tested with.
func TestClientPackageFiles(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skipf("needs npm: %v", err)
	}
	var packed []struct {
		Name, Version string
		Files         []struct{ Path string }
	}
	if err := json.Unmarshal([]byte(runIn(t, clientFolder, nil, "npm", "pack", "--dry-run", "--json", "--offline")), &packed); err != nil || len(packed) != 1 {
		t.Fatalf("npm pack: %v %v", packed, err)
	}
	if packed[0].Name != "wxgate-client" || packed[0].Version != version.Number {
		t.Errorf("npm packs %s %s, wxgate is %s", packed[0].Name, packed[0].Version, version.Number)
	}
	want := []string{"LICENSE", "README.md", "README.zh-CN.md", "package.json"}
	for _, folder := range []string{"dist", "esm", "cloud"} {
		for name := range filesBelow(t, filepath.Join(clientFolder, folder)) {
			want = append(want, folder+"/"+name)
		}
	}
	var got []string
	for _, file := range packed[0].Files {
		got = append(got, file.Path)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("npm packs\n%s, want\n%s", got, want)
	}
	if ours, all := filesBelow(t, clientFolder)["LICENSE"], filesBelow(t, moduleRoot)["LICENSE"]; !bytes.Equal(ours, all) {
		t.Error("client/LICENSE is not LICENSE")
	}
}

// runIn runs a command in a folder and returns its standard output.
func runIn(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var out, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errors
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), errors.String())
	}
	return out.String()
}

// filesBelow reads the files of a folder, but not of the folders in it.
func filesBelow(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	entries, err := fs.ReadDir(os.DirFS(dir), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		if found[entry.Name()], err = os.ReadFile(filepath.Join(dir, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return found
}
