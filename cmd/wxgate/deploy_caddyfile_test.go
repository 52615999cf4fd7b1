package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// secretFile matches a placeholder of a file in a Caddyfile, and secretFolder the part of it
// that the test replaces. For a folder in CREDENTIALS_DIRECTORY, the test sets the variable.
var (
	secretFile   = regexp.MustCompile(`\{file\.(?:/run/[^}]+|\{\$CREDENTIALS_DIRECTORY:/run/[^}]+\})/([^}/]+)\}`)
	secretFolder = regexp.MustCompile(`\{file\./run/[^}]+/`)
)

// TestDeployedCaddyfiles validates every Caddyfile below deploy: `wxgate validate` finds every
// error that a start would find, except those of the store.
func TestDeployedCaddyfiles(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(deployFolder, "*", "*", "Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(deployFolder, "*", "Caddyfile"))
	if err != nil || len(names) == 0 || len(more) == 0 {
		t.Fatalf("found %v and %v, %v", names, more, err)
	}
	for _, name := range append(names, more...) {
		t.Run(name, func(t *testing.T) {
			dir := shortDir(t)
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			secrets := secretFile.FindAllStringSubmatch(string(text), -1)
			if len(secrets) < 2 {
				t.Fatalf("the AppSecret and the root secret are not files: %q", secrets)
			}
			for _, secret := range secrets {
				if err := os.WriteFile(filepath.Join(dir, secret[1]), []byte(wechatsim.DefaultApp.Secret), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			moved := secretFolder.ReplaceAllString(string(text), "{file."+dir+"/")
			moved = strings.ReplaceAll(moved, "/var/lib/wxgate/", dir+"/")
			if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(moved), 0o600); err != nil {
				t.Fatal(err)
			}
			env := []string{"WX_APPID=" + wechatsim.DefaultApp.ID, "UPSTREAM=127.0.0.1:9000", "REDIS_URL=redis://redis:6379", "CREDENTIALS_DIRECTORY=" + dir}
			p := startProcess(t, dir, env, "wxgate", "validate", "--config", "Caddyfile")
			if <-p.done; p.err != nil || !strings.Contains(p.output(), "Valid configuration") {
				t.Errorf("%v\n%s", p.err, p.output())
			}
		})
	}
}
