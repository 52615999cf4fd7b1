package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/wxgate/wxgate/internal/freeport"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// gateway is a real wxgate process, started again and again on the same files.
type gateway struct {
	t        *testing.T
	binary   string
	dir      string // its files and its configuration
	addr     string
	api      string // the simulator's
	upstream string
	store    string // the arguments of store, with its block if it has one
	settings string // lines of the token block
	root     string // the root secret; empty: the gateway generates one
	app      string // lines of the app's block
	site     string // lines of the site's block
	global   string // lines of the global options

	process *exec.Cmd
	exited  chan error // the result of Wait
	output  *os.File   // of all processes, one after the other
}

const gatewaySite = `
{
	admin unix/{{.Dir}}/admin.sock
	persist_config off
	storage file_system {{.Dir}}/caddy
	{{.Global}}
	wxgate {
		app wx0000000000000001 {env.WXGATE_TEST_SECRET} {
			api {{.API}}
			{{.App}}
		}
		{{with .Root}}secret {{.}}{{end}}
		store {{.Store}}
		token {
			{{.Settings}}
		}
	}
}
http://{{.Addr}} {
	wxgate {
		{{.Site}}
	}
	reverse_proxy {{.Upstream}}
}
`

const (
	// readyWithin is how long a start may take. A process that was killed while it wrote the
	// signing keys leaves a lock, for which the next process waits ten seconds. The rest is
	// for a busy machine.
	readyWithin = 60 * time.Second
	// respondWithin is how long the gateway may take for one request.
	respondWithin = 30 * time.Second
	pollEvery     = 20 * time.Millisecond

	// rootSecret is the root secret of every gateway, so that each can be a replica of another.
	rootSecret = "0123456789abcdef0123456789abcdef"
)

// buildGateway builds the command, with the race detector if the test has it.
func buildGateway(t *testing.T) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "wxgate")
	args := []string{"build", "-o", binary}
	if raced() {
		args = append(args, "-race")
	}
	build := exec.CommandContext(t.Context(), "go", append(args, ".")...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building wxgate: %v\n%s", err, out)
	}
	return binary
}

// newGateway returns a gateway without data, not started.
func newGateway(t *testing.T, binary, api, upstream string) *gateway {
	t.Helper()
	g := &gateway{t: t, binary: binary, dir: tempDir(t), addr: freeAddr(t), api: api, upstream: upstream, settings: "alg EdDSA", root: "{env.WXGATE_TEST_ROOT}"}
	g.store = "bolt " + filepath.Join(g.dir, "wxgate.db")
	var err error
	if g.output, err = os.Create(filepath.Join(g.dir, "output")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.kill()
		_ = g.output.Close()
	})
	return g
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

// raced reports whether this test was built with the race detector.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, setting := range info.Settings {
		if setting.Key == "-race" {
			return setting.Value == "true"
		}
	}
	return false
}

// ports are for the gateways and Redis.
var ports = freeport.Range{First: 26000, Count: 3000}

// freeAddr is a loopback address that nothing listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	port, err := ports.Take()
	if err != nil {
		t.Fatal(err)
	}
	return freeport.Addr(port)
}

func (g *gateway) caddyfile() []byte {
	var b bytes.Buffer
	vars := map[string]string{
		"Dir": g.dir, "API": g.api, "Addr": g.addr, "Upstream": g.upstream,
		"Store": g.store, "Settings": g.settings, "Site": g.site, "Global": g.global, "Root": g.root, "App": g.app,
	}
	if err := template.Must(template.New("").Parse(gatewaySite)).Execute(&b, vars); err != nil {
		g.t.Error(err)
	}
	return b.Bytes()
}

// configure writes the file that the next start reads.
func (g *gateway) configure() []byte {
	config := g.caddyfile()
	if err := os.WriteFile(filepath.Join(g.dir, "Caddyfile"), config, 0o600); err != nil {
		g.t.Error(err)
	}
	return config
}

func (g *gateway) command(args ...string) *exec.Cmd {
	c := exec.Command(g.binary, args...)
	c.Dir = g.dir
	c.Env = append(os.Environ(),
		"WXGATE_TEST_SECRET="+wechatsim.DefaultApp.Secret,
		"WXGATE_TEST_ROOT="+rootSecret,
		"HOME="+g.dir, "XDG_DATA_HOME="+g.dir, "XDG_CONFIG_HOME="+g.dir,
		"GORACE=halt_on_error=1 exitcode=66")
	return c
}

// launch starts the process and does not wait for it.
func (g *gateway) launch() {
	g.t.Helper()
	g.configure()
	g.process = g.command("run", "--config", "Caddyfile")
	g.process.Stdout, g.process.Stderr = g.output, g.output
	if err := g.process.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.exited = make(chan error, 1)
	go func(process *exec.Cmd, exited chan<- error) { exited <- process.Wait() }(g.process, g.exited)
}

// start launches the process and waits until it is ready: it has opened the files of the
// process before it.
func (g *gateway) start() (took time.Duration) {
	g.t.Helper()
	g.launch()
	return g.await()
}

// await waits until the process that was launched is ready.
func (g *gateway) await() (took time.Duration) {
	g.t.Helper()
	began := time.Now()
	for time.Since(began) < readyWithin {
		if r := g.send(http.MethodGet, "/v1.0/pub/ready", "", ""); r.status == http.StatusOK {
			return time.Since(began)
		}
		select {
		case err := <-g.exited:
			g.process = nil
			g.t.Fatalf("the gateway did not start: %v\n%s", err, g.tail())
		case <-time.After(pollEvery):
		}
	}
	g.t.Fatalf("the gateway was not ready within %v\n%s", readyWithin, g.tail())
	return 0
}

// kill kills the process with SIGKILL. If the process had ended by itself, the test fails.
func (g *gateway) kill() {
	if g.process == nil {
		return
	}
	select {
	case err := <-g.exited:
		g.t.Errorf("the gateway ended by itself: %v\n%s", err, g.tail())
	default:
		_ = g.process.Process.Kill()
		if err := <-g.exited; err == nil {
			g.t.Errorf("the gateway ended with exit code 0 before it was killed\n%s", g.tail())
		}
	}
	g.process = nil
}

// stop ends the process with SIGTERM, as an operator does.
func (g *gateway) stop() {
	g.t.Helper()
	if err := g.process.Process.Signal(syscall.SIGTERM); err != nil {
		g.t.Error(err)
	}
	select {
	case err := <-g.exited:
		if err != nil {
			g.t.Errorf("stopping: %v\n%s", err, g.tail())
		}
		g.process = nil
	case <-time.After(respondWithin):
		g.t.Errorf("the gateway did not stop\n%s", g.tail())
	}
}

// checkStore checks the file of the store with `wxgate store check`.
func (g *gateway) checkStore() {
	g.t.Helper()
	if out, err := g.command("store", "check", filepath.Join(g.dir, "wxgate.db")).CombinedOutput(); err != nil {
		g.t.Errorf("store check: %v\n%s", err, out)
	}
}

// tail returns the end of the processes' output.
func (g *gateway) tail() string {
	const most = 4 << 10
	text, err := os.ReadFile(g.output.Name())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// errorLines returns lines that no process may write, even if it was killed.
func (g *gateway) errorLines() []string {
	return g.wrote(func(line string) bool { return crash(line) || strings.Contains(line, `"level":"error"`) })
}

// crash reports whether a line is the first line of a data race or a panic.
func crash(line string) bool {
	return strings.Contains(line, "DATA RACE") || strings.HasPrefix(line, "panic:")
}

// wrote returns the lines of the processes' output that match.
func (g *gateway) wrote(match func(line string) bool) []string {
	text, err := os.ReadFile(g.output.Name())
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		if match(line) {
			found = append(found, line)
		}
	}
	return found
}

// reply is a response, or the error if there was none.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
	from   *gateway
	sent   time.Time // before the first byte
	came   time.Time
}

// received reports whether a response was received. If not, the request may have been carried
// out or not.
func (r reply) received() bool { return r.err == nil }

// unsent reports whether the request was certainly not carried out.
func (r reply) unsent() bool { return errors.Is(r.err, syscall.ECONNREFUSED) }

var (
	clients    = &http.Client{Timeout: respondWithin, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	errTimeout = errors.New("neither a response nor a closed connection in time")
	errNoStore = errors.New("the store was unavailable")
)

// send sends a request to the gateway's public address.
func (g *gateway) send(method, path, body, token string) reply {
	r, err := http.NewRequest(method, "http://"+g.addr+path, strings.NewReader(body))
	if err != nil {
		return reply{err: err}
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	out := exchange(clients, r)
	out.from = g
	return out
}

// operate sends a request to the admin API, on its socket.
func (g *gateway) operate(method, path, contentType string, body []byte) reply {
	socket := filepath.Join(g.dir, "admin.sock")
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	r, err := http.NewRequest(method, "http://wxgate"+path, bytes.NewReader(body))
	if err != nil {
		return reply{err: err}
	}
	r.Header.Set("Content-Type", contentType)
	// The admin API accepts only the name of its socket as Host, or none.
	r.Host = ""
	r.URL.Host = "127.0.0.1"
	return exchange(&http.Client{Timeout: respondWithin, Transport: transport}, r)
}

func exchange(client *http.Client, r *http.Request) reply {
	out := reply{sent: time.Now()}
	response, err := client.Do(r)
	if err == nil {
		var text []byte
		text, err = io.ReadAll(response.Body)
		_ = response.Body.Close()
		out.status, out.header, out.body = response.StatusCode, response.Header, string(text)
	}
	out.came, out.err = time.Now(), err
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		out.err = fmt.Errorf("%w: %w", errTimeout, err)
	}
	return out
}
