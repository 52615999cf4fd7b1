package caddymodule_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/wxgate/wxgate/caddymodule"
	"github.com/wxgate/wxgate/internal/freeport"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

// fixture is a real Caddy with wxgate, the simulator and an upstream, which communicate
// over TCP on loopback. Caddy runs one configuration in a process, so tests that use a
// fixture do not run in parallel.
type fixture struct {
	t        testing.TB
	sim      *simserver.Server
	upstream *upstream
	dir      string // Caddy's storage and the session store
	addr     string // the gateway's host:port
	plain    string // another host:port, for a site without wxgate
	url      string
	config   string // the Caddyfile's template
	client   *http.Client
}

// newFixture starts everything; config is a template such as [site].
func newFixture(t testing.TB, config string) *fixture {
	t.Helper()
	f := newStoppedFixture(t, simConfig(), config)
	f.load()
	return f
}

// newStoppedFixture starts everything except the gateway.
func newStoppedFixture(t testing.TB, simConfig wechatsim.Config, config string) *fixture {
	t.Helper()
	t.Setenv("WXGATE_TEST_SECRET", wechatsim.DefaultApp.Secret)
	f := &fixture{t: t, dir: t.TempDir(), addr: freeAddr(t), plain: freeAddr(t), config: config, client: client, upstream: newUpstream(t)}
	f.url = "http://" + f.addr
	var err error
	if f.sim, err = simserver.Start(context.Background(), simConfig); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(f.stop)
	return f
}

// ports are the ports of the servers in these tests.
var ports = freeport.Range{First: 20000, Count: 6000}

// freeAddr returns a loopback address on which no process listens.
func freeAddr(t testing.TB) string {
	t.Helper()
	port, err := ports.Take()
	if err != nil {
		t.Fatal(err)
	}
	return freeport.Addr(port)
}

// caddyfile executes the template of the configuration.
func (f *fixture) caddyfile() []byte {
	f.t.Helper()
	var b bytes.Buffer
	vars := map[string]string{"Dir": f.dir, "API": f.sim.URL, "Addr": f.addr, "Plain": f.plain, "Upstream": f.upstream.addr}
	if err := template.Must(template.New("").Parse(f.config)).Execute(&b, vars); err != nil {
		f.t.Fatal(err)
	}
	return b.Bytes()
}

func (f *fixture) tryLoad() error {
	f.t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(f.caddyfile(), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err
	}
	return caddy.Load(config, true)
}

// load starts or reloads the gateway.
func (f *fixture) load() {
	f.t.Helper()
	if err := f.tryLoad(); err != nil {
		f.t.Fatalf("loading: %v", err)
	}
	// A POST on a connection that the old servers are about to close would fail:
	// net/http only retries GETs.
	f.client.CloseIdleConnections()
}

func (f *fixture) stop() {
	f.t.Helper()
	if err := caddy.Stop(); err != nil {
		f.t.Errorf("stopping: %v", err)
	}
}

func (f *fixture) databasePath() string { return filepath.Join(f.dir, "wxgate.db") }

// response is an HTTP response with its whole body.
type response struct {
	status int
	header http.Header
	body   string
}

func (r response) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("not JSON: %v: %q", err, r.body)
	}
	return v
}

func (r response) str(t testing.TB, member string) string {
	t.Helper()
	s, ok := r.json(t)[member].(string)
	if !ok {
		t.Fatalf("no string %s in %s", member, r.body)
	}
	return s
}

// want fails the test unless the response has this status and, if code is not empty, this
// error code.
func (r response) want(t testing.TB, status int, code string) {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	if code == "" {
		return
	}
	if got := r.str(t, "code"); got != code {
		t.Fatalf("code %q, want %q: %s", got, code, r.body)
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("a problem with Content-Type %q", got)
	}
	if status == http.StatusUnauthorized && !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer ") {
		t.Errorf("a 401 without a Bearer challenge: %v", r.header)
	}
}

// do sends a request; header is a list of names and values.
func (f *fixture) do(method, path, body string, header ...string) response {
	f.t.Helper()
	a, err := f.persist(method, path, func() string { return body }, header...)
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// try sends a request once and returns the error. Goroutines use it, and tests in which a
// request may get no response.
func (f *fixture) try(method, path, body string, header ...string) (response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, f.url+path, strings.NewReader(body))
	if err != nil {
		return response{}, err
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	received, err := f.client.Do(r)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = received.Body.Close() }()
	text, err := io.ReadAll(received.Body)
	return response{received.StatusCode, received.Header, string(text)}, err
}

// persist repeats a request until there is a response. Go's server, and so Caddy with or
// without wxgate, closes a connection unread if a request arrives on it during a reload.
func (f *fixture) persist(method, path string, body func() string, header ...string) (response, error) {
	const attempts = 50
	for range attempts - 1 {
		if a, err := f.try(method, path, body(), header...); err == nil {
			return a, nil
		}
	}
	return f.try(method, path, body(), header...)
}

// client follows no redirects and keeps no cookies.
var client = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 100},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

const pub = "/v1.0/pub"

// code mints a login code for a user of the default app.
func (f *fixture) code(name string) string {
	f.t.Helper()
	c, err := f.sim.Sim.MintCode(wechatsim.User{Name: name}, wechatsim.Login{})
	if err != nil {
		f.t.Fatal(err)
	}
	return c.Code
}

// login logs a user of the default app in.
func (f *fixture) login(name string) response {
	f.t.Helper()
	a := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code(name)))
	a.want(f.t, http.StatusOK, "")
	return a
}

func (f *fixture) token(name string) string {
	f.t.Helper()
	return f.login(name).str(f.t, "access_token")
}

// upstream is a business service that records the requests it receives.
type upstream struct {
	addr string
	mu   sync.Mutex
	seen []*http.Request
	// serve, if set, responds instead of "ok".
	serve http.HandlerFunc
}

func newUpstream(t testing.TB) *upstream {
	u := &upstream{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		u.mu.Lock()
		u.seen = append(u.seen, r)
		serve := u.serve
		u.mu.Unlock()
		if serve != nil {
			serve(w, r)
			return
		}
		_, _ = io.WriteString(w, "ok")
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	u.addr = strings.TrimPrefix(server.URL, "http://")
	return u
}

// last returns the last request, and clears the record.
func (u *upstream) last(t testing.TB) *http.Request {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.seen) == 0 {
		t.Fatal("no request reached the upstream")
	}
	r := u.seen[len(u.seen)-1]
	u.seen = nil
	return r
}

func (u *upstream) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.seen)
}

func (u *upstream) respondWith(h http.HandlerFunc) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.serve = h
}

// rawTimeout bounds the time of one raw connection.
const rawTimeout = 10 * time.Second

// sendRaw sends bytes over a new connection, which is closed when the test ends.
func sendRaw(t testing.TB, addr, message string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(rawTimeout)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, message); err != nil {
		t.Fatal(err)
	}
	return conn
}

// eventually waits until done returns true.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	const patience, interval = 30 * time.Second, 10 * time.Millisecond // longer than the lease of an event
	for giveUp := time.Now().Add(patience); !done(); <-time.After(interval) {
		if time.Now().After(giveUp) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// simConfig returns the configuration of the simulator for most tests.
func simConfig() wechatsim.Config { return wechatsim.Config{} }
