package doors_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"html"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"github.com/wxgate/wxgate/internal/chromium"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

// pub is the prefix of the calls of clients.
const pub = "/v1.0/pub"

// world is a site with its machines, its upstream and a simulated WeChat.
type world struct {
	t        *testing.T
	sim      *simserver.Server
	upstream *upstream
	origin   string // of the site
	machines []*machine
	redis    string // its address, if the machines share one

	noted *secrets
}

// secrets are the codes, tickets, states and cookies of the browsers.
type secrets struct {
	mu    sync.Mutex
	kinds map[string]string // by value
}

// newWorld starts a site of one machine with a file, without TLS.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := startWorld(t)
	addr := freeAddr(t)
	w.origin = "http://" + addr
	dir := tempDir(t)
	w.machines = []*machine{startMachine(w, dir, addr, "bolt "+filepath.Join(dir, "wxgate.db"))}
	w.machines[0].await()
	t.Cleanup(w.checkLeaks)
	return w
}

// newTLSWorld starts a site of one machine with a file, behind a proxy that terminates TLS.
func newTLSWorld(t *testing.T) *world {
	t.Helper()
	w := startWorld(t)
	addr, dir := freeAddr(t), tempDir(t)
	w.origin = startFront(t, []string{addr})
	w.machines = []*machine{startMachine(w, dir, addr, "bolt "+filepath.Join(dir, "wxgate.db"))}
	w.machines[0].await()
	t.Cleanup(w.checkLeaks)
	return w
}

// newFleet starts a site of two machines that share a Redis, behind a proxy that terminates TLS
// and distributes the requests.
func newFleet(t *testing.T) *world {
	t.Helper()
	needRedis(t)
	w := startWorld(t)
	w.redis = startRedis(t)
	addrs := []string{freeAddr(t), freeAddr(t)}
	w.origin = startFront(t, addrs)
	for _, addr := range addrs {
		w.machines = append(w.machines, startMachine(w, tempDir(t), addr, "redis redis://"+w.redis))
	}
	for _, m := range w.machines {
		m.await()
	}
	t.Cleanup(w.checkLeaks)
	return w
}

func startWorld(t *testing.T) *world {
	t.Helper()
	chromium.Need(t)
	sim, err := simserver.Start(context.Background(), wechatsim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() }) // a browser may still have a request
	w := &world{t: t, sim: sim, upstream: startUpstream(t), noted: &secrets{kinds: make(map[string]string)}}
	return w
}

// note records a secret that neither the upstream nor a log may receive.
func (w *world) note(kind, secret string) {
	w.noted.mu.Lock()
	defer w.noted.mu.Unlock()
	if secret != "" {
		w.noted.kinds[secret] = kind
	}
}

// noteURL records the credentials in a URL.
func (w *world) noteURL(address string) {
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	for _, name := range []string{"code", "state", "ticket"} {
		w.note(name, u.Query().Get(name))
	}
}

// checkLeaks checks that neither the upstream nor a log received a credential, in a URL, a
// Referer or elsewhere.
func (w *world) checkLeaks() {
	w.noted.mu.Lock()
	defer w.noted.mu.Unlock()
	if len(w.noted.kinds) == 0 {
		w.t.Error("no credential was recorded: nothing was checked")
	}
	texts := map[string]string{"the upstream": strings.Join(w.upstream.all(), "\n")}
	for _, m := range w.machines {
		access, err := os.ReadFile(filepath.Join(m.dir, "access.log"))
		if err != nil || len(access) == 0 {
			w.t.Errorf("no access log: %v", err)
		}
		texts["the access log of "+m.addr] = locations.ReplaceAllString(string(access), "")
		texts["the log of "+m.addr] = m.output()
	}
	for where, text := range texts {
		for secret, kind := range w.noted.kinds {
			if strings.Contains(text, secret) {
				w.t.Errorf("%s has a %s: %s", where, kind, secret)
			}
		}
	}
}

// locations matches the Location of responses in access logs. The Location of a login has the
// state, which WeChat needs. Without the cookie of the same response, the state is useless.
var locations = regexp.MustCompile(`"Location":\["[^"]*"\]`)

// insecure is the TLS configuration for certificates that no authority signed.
var insecure = &tls.Config{InsecureSkipVerify: true}

// A front is a proxy that terminates TLS in front of several machines.
type front struct {
	machines []*httputil.ReverseProxy
	next     atomic.Int64
}

// turns are calls that always go to the same machine, so that a login uses both machines.
var turns = []struct {
	method, prefix string
	machine        int
}{
	{http.MethodGet, pub + "/web/login", 0},
	{http.MethodGet, pub + "/web/callback", 1}, // the login began on the other machine
	{http.MethodPost, pub + "/web/ticket", 0},
	{http.MethodGet, pub + "/web/enter", 1}, // the ticket is from the other machine
	{http.MethodPost, pub + "/web/enter", 0},
}

// startFront starts a front. Its host has sibling hosts, which are of the same site.
func startFront(t *testing.T, addrs []string) (origin string) {
	t.Helper()
	f := &front{}
	for _, addr := range addrs {
		to := &url.URL{Scheme: "http", Host: addr}
		f.machines = append(f.machines, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to) // also sets Host: the gateway must know its own origin
			r.SetXForwarded()
		}, ErrorLog: log.New(io.Discard, "", 0)}) // streams end without their last chunk
	}
	server := httptest.NewTLSServer(f)
	t.Cleanup(server.Close)
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	return "https://shop.wxgate.localhost:" + port
}

// ServeHTTP forwards a request to its machine, or to the next one in turn.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.machines[f.machine(r)%len(f.machines)].ServeHTTP(w, r)
}

func (f *front) machine(r *http.Request) int {
	if rest, ok := strings.CutPrefix(r.URL.Path, pub+"/web/scan"); ok {
		// One machine shows the code and begins the session, the other handles the phone.
		if rest == "" || strings.HasSuffix(rest, "/finish") {
			return 0
		}
		if r.Header.Get("Authorization") != "" {
			return 1
		}
	}
	for _, turn := range turns {
		if r.Method == turn.method && strings.HasPrefix(r.URL.Path, turn.prefix) {
			return turn.machine
		}
	}
	return int(f.next.Add(1))
}

// upstream shows who is logged in, and records its requests.
type upstream struct {
	addr string

	mu       sync.Mutex
	requests []upstreamRequest
}

// upstreamRequest is a request that the upstream received.
type upstreamRequest struct {
	method, uri, body string
	header            http.Header
}

func startUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{}
	mux := http.NewServeMux()
	mux.HandleFunc("/", u.page)
	mux.HandleFunc("GET /events", u.events)
	mux.HandleFunc("GET /socket", u.socket)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.note(r)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	u.addr = server.Listener.Addr().String()
	return u
}

func (u *upstream) note(r *http.Request) {
	var body []byte
	if r.Header.Get("Upgrade") == "" {
		body, _ = io.ReadAll(r.Body) // a request that ends early is recorded too
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests = append(u.requests, upstreamRequest{r.Method, r.RequestURI, string(body), r.Header.Clone()})
}

// got returns the requests so far to a path with a query.
func (u *upstream) got(uri string) (found []upstreamRequest) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, r := range u.requests {
		if r.uri == uri {
			found = append(found, r)
		}
	}
	return found
}

// all returns the requests as texts.
func (u *upstream) all() (texts []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, r := range u.requests {
		texts = append(texts, fmt.Sprintf("%s %s %v %s", r.method, r.uri, r.header, r.body))
	}
	return texts
}

// shown are the identity headers that the page shows, by their elements.
var shown = map[string]string{"openid": "X-Wx-Openid", "unionid": "X-Wx-Unionid", "appid": "X-Wx-Appid", "source": "X-Wx-Source"}

// page shows the identity. With the query keep, the browser may cache it, as pages of careless
// upstreams are.
func (u *upstream) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.URL.Query().Has("keep") {
		w.Header().Set("Cache-Control", "max-age=600")
	}
	_, _ = io.WriteString(w, `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><title>Orders</title><h1>Orders</h1>`)
	for _, id := range slices.Sorted(maps.Keys(shown)) {
		_, _ = fmt.Fprintf(w, `<p id="%s">%s</p>`, id, html.EscapeString(r.Header.Get(shown[id])))
	}
}

// events is a stream of events that ends with the request.
func (u *upstream) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, "data: hello\n\n")
	_ = http.NewResponseController(w).Flush() // a closed connection is noticed below
	<-r.Context().Done()
}

// socket is a WebSocket that echoes messages.
func (u *upstream) socket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // careless: the gateway checks the origin
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}
