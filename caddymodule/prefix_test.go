package caddymodule_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// prefixApps respond with the path that they serve, and take a part of it from headers, as common
// middleware does.
var prefixApps = map[string]struct {
	file, text string
	command    func(dir, addr string) *exec.Cmd
}{
	"Flask under gunicorn": {"app.py", `
from flask import Flask, request
class Prefix:  # the WSGI middleware of Flask's documentation snippets
    def __init__(self, app): self.app = app
    def __call__(self, environ, start_response):
        script = environ.get("HTTP_X_SCRIPT_NAME", "")
        if script:
            environ["SCRIPT_NAME"] = script
            path = environ["PATH_INFO"]
            if path.startswith(script): environ["PATH_INFO"] = path[len(script):]
        return self.app(environ, start_response)
app = Flask(__name__)
@app.route("/", defaults={"path": ""})
@app.route("/<path:path>")
def serve(path): return "served /" + path
app.wsgi_app = Prefix(app.wsgi_app)
`, func(dir, addr string) *exec.Cmd {
		return exec.Command("/usr/bin/gunicorn", "--chdir", dir, "--bind", addr, "--log-level", "error", "app:app")
	}},
	"PHP": {"index.php", `<?php
$path = parse_url($_SERVER["REQUEST_URI"], PHP_URL_PATH);
$base = $_SERVER["HTTP_X_SCRIPT_NAME"] ?? $_SERVER["HTTP_X_FORWARDED_PREFIX"] ?? "";
if ($base !== "" && strpos($path, $base) === 0) { $path = substr($path, strlen($base)); }
echo "served " . ($_SERVER["HTTP_X_ORIGINAL_URL"] ?? $path);
`, func(dir, addr string) *exec.Cmd {
		return exec.Command("php", "-S", addr, filepath.Join(dir, "index.php"))
	}},
	"Express": {"app.js", `
const app = require("express")()
app.use((req, res, next) => { // as reverse proxy middleware does
  const base = req.get("X-Script-Name") || req.get("X-Forwarded-Prefix") || ""
  if (base && req.url.startsWith(base)) req.url = req.url.slice(base.length)
  next()
})
app.use((req, res) => res.send("served " + req.path))
app.listen(Number(process.argv[2]), "127.0.0.1")
`, func(dir, addr string) *exec.Cmd {
		cmd := exec.Command("node", filepath.Join(dir, "app.js"), addr[strings.LastIndexByte(addr, ':')+1:])
		cmd.Env = append(os.Environ(), "NODE_PATH=/usr/share/nodejs")
		return cmd
	}},
}

// TestPrefixMiddleware: no header of a client makes a real framework serve another path than the
// one that the gateway checked.
func TestPrefixMiddleware(t *testing.T) {
	for name, app := range prefixApps {
		t.Run(name, func(t *testing.T) {
			dir, addr := t.TempDir(), freeAddr(t)
			if err := os.WriteFile(filepath.Join(dir, app.file), []byte(app.text), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := app.command(dir, addr)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = cmd.Process.Signal(os.Interrupt)
				_ = cmd.Wait()
			})
			f := newFixture(t, strings.ReplaceAll(directiveSite("\t\tpublic /public/*\n\t\trequire phone on /phone/*", ""), "{{.Upstream}}", addr))
			bearer := []string{"Authorization", "Bearer " + f.token("alice")}
			awaitServer(t, "http://"+addr)
			f.do("GET", "/phone/pay", "", bearer...).want(t, http.StatusForbidden, "phone_required")
			for _, header := range []string{"X-Script-Name", "X-Forwarded-Prefix", "X-SCRIPT-NAME"} {
				a := f.do("GET", "/public/admin/users", "", header, "/public")
				if a.want(t, http.StatusOK, ""); a.body != "served /public/admin/users" {
					t.Errorf("%s: the upstream responded %q", header, a.body)
				}
				a = f.do("GET", "/any/phone/pay", "", append(bearer, header, "/any")...)
				if a.want(t, http.StatusOK, ""); a.body != "served /any/phone/pay" {
					t.Errorf("%s: the upstream responded %q", header, a.body)
				}
			}
		})
	}
}

func awaitServer(t *testing.T, url string) {
	t.Helper()
	eventually(t, "the upstream serves", func() bool {
		client := http.Client{Timeout: time.Second}
		response, err := client.Get(url)
		if err == nil {
			_ = response.Body.Close()
		}
		return err == nil
	})
}
