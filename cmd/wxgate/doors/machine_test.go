package doors_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/wxgate/wxgate/internal/freeport"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

const (
	// patience is how long one step may take on a busy machine.
	patience  = 30 * time.Second
	pollEvery = 20 * time.Millisecond
)

// The apps of the site.
var (
	program  = wechatsim.DefaultApp
	official = wechatsim.WebApps()[0]
	website  = wechatsim.WebApps()[1]
	apps     = []wechatsim.App{program, official, website}
)

// ports are for the gateways and Redis. Other tests use 20000 to 32000.
var ports = freeport.Range{First: 18000, Count: 1000}

func freeAddr(t *testing.T) string {
	t.Helper()
	port, err := ports.Take()
	if err != nil {
		t.Fatal(err)
	}
	return freeport.Addr(port)
}

// machine is a real wxgate process.
type machine struct {
	t    *testing.T
	dir  string
	addr string

	process *exec.Cmd

	mu  sync.Mutex
	out bytes.Buffer
}

// caddyfile is the configuration of a machine.
const caddyfile = `
{
	admin unix/{{.Dir}}/admin.sock
	persist_config off
	storage file_system {{.Dir}}/caddy
	wxgate {
		{{- range .Apps}}
		app {{.ID}} {env.SECRET_{{.ID}}} {
			api {{$.API}}
			{{with .Kind}}kind {{.}}{{end}}
		}
		{{- end}}
		secret {env.ROOT}
		store {{.Store}}
	}
}
http://{{.Addr}} {
	log {
		output file {{.Dir}}/access.log
	}
	wxgate {
		limit login 1000/1m
		limit scan 1000/1m
		public /open
		web {
			url {{.URL}}
			official {{.Official}}
			website {{.Website}}
			scan {{.Program}} page pages/scan/scan
			ticket
		}
	}
	reverse_proxy {{.Upstream}}
}
`

// startMachine starts a machine that serves the site of a world, with the arguments of store.
// The machine stops when the test ends.
func startMachine(w *world, dir, addr, store string) *machine {
	w.t.Helper()
	m := &machine{t: w.t, dir: dir, addr: addr}
	var config bytes.Buffer
	if err := template.Must(template.New("").Parse(caddyfile)).Execute(&config, map[string]any{
		"Dir": dir, "Addr": addr, "Store": store, "URL": w.origin, "API": w.sim.URL, "Upstream": w.upstream.addr,
		"Apps": apps, "Program": program.ID, "Official": official.ID, "Website": website.ID,
	}); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), config.Bytes(), 0o600); err != nil {
		w.t.Fatal(err)
	}
	m.start()
	w.t.Cleanup(func() {
		m.kill()
		if w.t.Failed() {
			w.t.Logf("wxgate wrote:\n%s", m.output())
		}
	})
	return m
}

func (m *machine) start() {
	m.t.Helper()
	m.process = m.command("run", "--config", "Caddyfile")
	m.process.Stdout, m.process.Stderr = m, m
	if err := m.process.Start(); err != nil {
		m.t.Fatal(err)
	}
}

// kill ends the process as `kill -9` does.
func (m *machine) kill() {
	_ = m.process.Process.Kill()
	_ = m.process.Wait() // it was killed
}

func (m *machine) command(args ...string) *exec.Cmd {
	c := exec.Command(binary, args...)
	c.Dir = m.dir
	c.Env = append(os.Environ(), "HOME="+m.dir, "XDG_DATA_HOME="+m.dir, "XDG_CONFIG_HOME="+m.dir, "ROOT=0123456789abcdef0123456789abcdef")
	for _, app := range apps {
		c.Env = append(c.Env, "SECRET_"+app.ID+"="+app.Secret)
	}
	return c
}

// Write implements [io.Writer] for the output of the process.
func (m *machine) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.out.Write(b)
}

func (m *machine) output() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.out.String()
}

// await waits until the machine serves.
func (m *machine) await() {
	m.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(pollEvery) {
		if r, err := clients.Get("http://" + m.addr + pub + "/ready"); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
	}
	m.t.Fatalf("wxgate is not ready; it wrote:\n%s", m.output())
}

// operate runs a command of operators, and decodes its output if out is not nil.
func (m *machine) operate(out any, args ...string) {
	m.t.Helper()
	var stderr strings.Builder
	c := m.command(append(args, "--address", "unix/"+m.dir+"/admin.sock")...)
	c.Stderr = &stderr
	printed, err := c.Output()
	if err != nil {
		m.t.Fatalf("wxgate %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(printed, out); err != nil {
		m.t.Fatalf("wxgate %s: %v\n%s", strings.Join(args, " "), err, printed)
	}
}

// clients reach every host name that ends with .localhost, as browsers do.
var clients = &http.Client{
	Timeout:       patience,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport: &http.Transport{
		MaxIdleConnsPerHost: 64,
		TLSClientConfig:     insecure,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	},
}

// startRedis starts a Redis, and stops it when the test ends.
func startRedis(t *testing.T) (addr string) {
	t.Helper()
	addr = freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	server := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", tempDir(t), "--save", "", "--appendonly", "no")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // it was killed
	})
	for deadline := time.Now().Add(patience); ; <-time.After(pollEvery) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatalf("redis-server does not listen: %v", err)
		}
	}
}

// tempDir returns a temporary folder for a socket, whose path may have only about 100 bytes.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wx") //nolint:usetesting // its path has the name of the test, which is long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
