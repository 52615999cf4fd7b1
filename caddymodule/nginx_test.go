package caddymodule_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nginxConfig is the configuration around a snippet of the page. nginx is one process in the
// foreground, and writes only below its directory.
const nginxConfig = `
daemon off;
master_process off;
pid nginx.pid;
error_log log notice;
events { worker_connections 128; }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	types { text/css css; }
	server {
		listen ADDR;
		SNIPPET
	}
}
`

// startNginx starts nginx in front of a fixture, with the locations of a snippet. It always
// ends with the test process: a shell kills it when the shell's standard input is closed.
func startNginx(t *testing.T, snippet string) (addr string) {
	t.Helper()
	dir, addr := t.TempDir(), freeAddr(t)
	config := strings.NewReplacer("ADDR", addr, "SNIPPET", snippet).Replace(nginxConfig)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	keeper := exec.CommandContext(context.Background(), "sh", "-c",
		`PATH="$PATH:/usr/sbin"; nginx -p "$PWD" -c nginx.conf -e log >>log 2>&1 & pid=$!; cat >/dev/null; kill -9 $pid`)
	keeper.Dir = dir
	leash, err := keeper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = leash.Close()
		_ = keeper.Wait() // it was killed
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("the log of nginx:\n%s", log)
		}
	})
	eventually(t, "nginx listens", func() bool {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	return addr
}
