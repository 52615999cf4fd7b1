package doors_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// evil is a server of an attacker, whose pages victims visit.
type evil struct {
	tls  bool
	port string

	mu    sync.Mutex
	pages map[string]evilPage
}

type evilPage struct {
	html    string
	cookies []string
}

// startEvil starts such a server, with TLS if the site has TLS.
func startEvil(w *world) *evil {
	w.t.Helper()
	e := &evil{tls: strings.HasPrefix(w.origin, "https:"), pages: make(map[string]evilPage)}
	server := httptest.NewUnstartedServer(e)
	if e.tls {
		server.StartTLS()
	} else {
		server.Start()
	}
	w.t.Cleanup(server.Close)
	_, e.port, _ = strings.Cut(server.Listener.Addr().String(), ":")
	return e
}

// page returns the URL of a new page, with a host name of the attacker.
func (e *evil) page(host, html string, cookies ...string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	path := fmt.Sprintf("/%d", len(e.pages))
	e.pages[path] = evilPage{html, cookies}
	scheme := "http"
	if e.tls {
		scheme = "https"
	}
	return scheme + "://" + host + ":" + e.port + path
}

// ServeHTTP serves the pages.
func (e *evil) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	page := e.pages[r.URL.Path]
	e.mu.Unlock()
	for _, cookie := range page.cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(w, `<!doctype html><link rel="icon" href="data:,"><h1>Evil</h1>`+page.html)
}

// attacker is an attacker with a page somewhere.
type attacker struct {
	*evil

	host   string
	status string // the error code of requests that change something
}

// attackers are attackers with hosts as close to the site as possible.
func attackers(w *world) map[string]attacker {
	e := startEvil(w)
	if e.tls {
		return map[string]attacker{
			"sibling host": {e, "evil.wxgate.localhost", "cross_site"}, // the same site: SameSite does not stop it
			"another site": {e, "evil.localhost", "missing_token"},     // receives no cookie
		}
	}
	return map[string]attacker{
		"another port": {e, "127.0.0.1", "cross_site"},
		"another host": {e, "localhost", "missing_token"},
	}
}

// eachAttacker runs an attack by each attacker, on a site with TLS and on one without.
func eachAttacker(t *testing.T, attack func(w *world, a attacker)) {
	for name, start := range map[string]func(*testing.T) *world{"TLS": newTLSWorld, "loopback": newWorld} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			for name, a := range attackers(w) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					attack(w.in(t), a)
				})
			}
		})
	}
}
