package caddymodule_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// sharedRoot is the root secret of all replicas.
const sharedRoot = "the-root-secret-of-all-replicas-0123456789"

// sharedSite is the configuration of a machine: it has a separate Caddy storage, the admin API on a
// socket, and everything else in Redis. STORE is replaced by the arguments of store, SITE by
// options of the directive.
const sharedSite = `
{
	admin unix/{{.Dir}}/admin.sock
	persist_config off
	storage file_system {{.Dir}}/caddy
	metrics
	wxgate {
		app wx0000000000000001 {env.WXGATE_TEST_SECRET} {
			api {{.API}}
		}
		secret {env.WXGATE_TEST_ROOT}
		store STORE
	}
}
http://{{.Addr}} {
	metrics /metrics
	wxgate {
		public /metrics
		SITE
	}
	reverse_proxy {{.Upstream}}
}
`

func shared(store, site string) string {
	return strings.NewReplacer("STORE", store, "SITE", site).Replace(sharedSite)
}

// newSharedFixture returns a stopped machine with store redis.
func newSharedFixture(t *testing.T, redis *redisServer, site string) *fixture {
	t.Helper()
	t.Setenv("WXGATE_TEST_ROOT", sharedRoot)
	f := newOperatedFixture(t)
	f.config = shared("redis redis://"+redis.addr, site)
	return f
}

// replicaEnv is the variable with the Caddyfile of a test process that runs as a replica.
const replicaEnv = "WXGATE_TEST_REPLICA"

// replicaReady is the line that a replica prints when it serves.
const replicaReady = "the replica serves"

// TestReplicaProcess is the gateway of another machine if replicaEnv is set: Caddy runs one
// configuration in a process. It stops when its standard input is closed.
func TestReplicaProcess(t *testing.T) {
	path := os.Getenv(replicaEnv)
	if path == "" {
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(os.Stdout, replicaReady+"\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
}

// replica starts another machine with the same configuration, WeChat and upstream, and with a
// separate folder and address.
func (f *fixture) replica() *fixture {
	f.t.Helper()
	other, _ := f.mortalReplica()
	return other
}

// mortalReplica is [fixture.replica] that returns a function which kills the machine, as a power
// failure does.
func (f *fixture) mortalReplica() (machine *fixture, kill func()) {
	f.t.Helper()
	dir, err := os.MkdirTemp("", "wx")
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	other := *f
	other.dir, other.addr, other.plain = dir, freeAddr(f.t), freeAddr(f.t)
	other.url = "http://" + other.addr
	path := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(path, other.caddyfile(), 0o600); err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.CommandContext(f.t.Context(), os.Args[0], "-test.run=^TestReplicaProcess$", "-test.count=1")
	cmd.Env = append(os.Environ(), replicaEnv+"="+path)
	cmd.Stderr = os.Stderr
	leash, err := cmd.StdinPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	printed := bufio.NewReader(out)
	f.t.Cleanup(func() {
		_ = leash.Close()
		_, _ = io.Copy(io.Discard, printed)
		_ = cmd.Wait() // the test in the process reports errors
	})
	for {
		line, err := printed.ReadString('\n')
		if strings.TrimSpace(line) == replicaReady {
			return &other, func() { _ = cmd.Process.Kill() }
		}
		if err != nil {
			f.t.Fatalf("the replica ended: %s", line)
		}
	}
}

// mustConfig reads a configuration as Caddy's commands do.
func mustConfig(t *testing.T, text []byte) *caddy.Config {
	t.Helper()
	config := new(caddy.Config)
	if err := json.Unmarshal(text, config); err != nil {
		t.Fatal(err)
	}
	return config
}
