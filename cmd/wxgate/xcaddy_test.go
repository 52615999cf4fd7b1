package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

const (
	modulePath = "github.com/wxgate/wxgate"
	// xcaddyTool runs xcaddy.
	xcaddyTool = "go run github.com/caddyserver/xcaddy/cmd/xcaddy@v0.4.5"
	// secondPlugin is a plugin of another project, with the tested version.
	secondPlugin        = "github.com/mholt/caddy-ratelimit"
	secondPluginVersion = "@v0.1.0"
	// publicProxy is the proxy for other modules if GOPROXY names none.
	publicProxy = "https://proxy.golang.org"
)

// moduleProxy is a module proxy that serves this tree as the latest version of wxgate, and
// redirects to another proxy for all other modules.
type moduleProxy struct {
	url, version string
	files        map[string][]byte // by path
	others       string            // URL
}

// newModuleProxy serves this tree. The version is unique, because Go caches what it downloads.
// The cached copy is deleted when the test ends.
func newModuleProxy(t *testing.T, others, modcache string) *moduleProxy {
	t.Helper()
	var archive bytes.Buffer
	sum := fnv.New64a()
	if err := zip.CreateFromDir(sum, module.Version{Path: modulePath, Version: "v0.0.0"}, moduleRoot); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	p := &moduleProxy{others: others, version: module.PseudoVersion("v0", "", now, fmt.Sprintf("%012x", sum.Sum64()>>16))}
	if err := zip.CreateFromDir(&archive, module.Version{Path: modulePath, Version: p.version}, moduleRoot); err != nil {
		t.Fatal(err)
	}
	info, err := json.Marshal(map[string]any{"Version": p.version, "Time": now})
	if err != nil {
		t.Fatal(err)
	}
	gomod, err := os.ReadFile(filepath.Join(moduleRoot, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	at := "/" + modulePath + "/@v/"
	p.files = map[string][]byte{
		at + "list": nil, "/" + modulePath + "/@latest": info,
		at + p.version + ".info": info, at + p.version + ".mod": gomod, at + p.version + ".zip": archive.Bytes(),
	}
	server := httptest.NewServer(p)
	t.Cleanup(func() {
		server.Close()
		_ = os.RemoveAll(filepath.Join(modcache, modulePath+"@"+p.version))
		copies, _ := filepath.Glob(filepath.Join(modcache, "cache/download", modulePath, "@v", p.version+".*"))
		for _, name := range copies {
			_ = os.Remove(name)
		}
	})
	p.url = server.URL
	return p
}

// ServeHTTP implements the module proxy protocol (go.dev/ref/mod#goproxy-protocol).
func (p *moduleProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content, found := p.files[r.URL.Path]
	switch {
	case found:
		_, _ = w.Write(content)
	case strings.HasPrefix(r.URL.Path+"/", "/github.com/wxgate/"):
		http.NotFound(w, r)
	default:
		http.Redirect(w, r, p.others+r.URL.Path, http.StatusFound)
	}
}

// xcaddy runs xcaddy as README.md describes, with the second plugin of docs/recipes.md. This
// tree replaces the published module. Then the built Caddy serves the recipe.
func (r *reader) xcaddy(t *testing.T, line string) {
	recipes, err := os.ReadFile(filepath.Join(moduleRoot, "docs", "recipes.md"))
	if err != nil {
		t.Fatal(err)
	}
	both := lines(string(recipes), line)
	if len(both) != 1 || both[0] != line+" --with "+secondPlugin {
		t.Fatalf("docs/recipes.md builds with %v", both)
	}
	modcache := strings.TrimSpace(r.shell(t, "go env GOMODCACHE"))
	others, _, _ := strings.Cut(strings.TrimSpace(r.shell(t, "go env GOPROXY")), ",")
	if !strings.HasPrefix(others, "http") {
		others = publicProxy
	}
	p := newModuleProxy(t, strings.TrimSuffix(others, "/"), modcache)
	dir := shortDir(t)
	build := strings.Replace(both[0], "xcaddy", xcaddyTool, 1) + secondPluginVersion
	r.shell(t, "cd "+dir+" && export GOPROXY="+p.url+" GONOSUMDB="+modulePath+" GOFLAGS=-modcacherw && "+build)
	serveRecipe(t, dir, fencedBlocks(string(recipes), "caddyfile rate_limit")[0].text)
}

// serveRecipe runs the Caddy in a folder with the Caddyfile of the recipe: each user may send
// two requests.
func serveRecipe(t *testing.T, dir, caddyfile string) {
	t.Helper()
	s, err := newSurroundings(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	config := strings.NewReplacer(
		"{\n\torder", "{\n\tadmin off\n\torder", "{env.WX_SECRET}", "{env.WX_SECRET} {\n\t\t\tapi {$WX_API}\n\t\t}",
		":8080", s.url, "127.0.0.1:9000", "{$UPSTREAM}",
	).Replace(caddyfile)
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, dir, s.env, filepath.Join(dir, "caddy"), "run")
	if err := waitReady(s.url); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"alice", "bob"} {
		login, err := s.login(user)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
			a, err := ask(http.MethodGet, s.url+"/orders", "", "Authorization: Bearer "+login.member("access_token"))
			if err != nil || a.status != want || want == http.StatusOK && a.body != "openid="+login.member("openId") {
				t.Errorf("%s: %d %q %v, want %d", user, a.status, a.body, err, want)
			}
		}
	}
	p.interrupt()
}
