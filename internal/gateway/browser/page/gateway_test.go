package page_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/wxgate/wxgate/internal/gateway/browser/page"
)

// gateway is a fake gateway for the calls of the pages.
type gateway struct {
	t     *testing.T
	pages *page.Pages
	url   string
	asked page.Continue

	mu      sync.Mutex
	state   string        // of the last scan
	changed chan struct{} // closed when the state changes
	made    int           // scans
	polls   int           // running polls
	calls   []string      // "METHOD path Origin Referer", without polls
	faults  []http.HandlerFunc
}

const api = "/v1.0/pub/web/scan"

// newGateway starts a gateway.
func newGateway(t *testing.T, theme page.Theme, folder string) *gateway {
	t.Helper()
	g := &gateway{t: t, pages: newPages(t, theme, folder), changed: make(chan struct{})}
	mux := http.NewServeMux()
	show := func(serve func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if language := r.FormValue("in"); language != "" {
				r.Header.Set("Accept-Language", language)
			}
			if err := serve(w, r); err != nil {
				t.Error(err)
			}
		}
	}
	mux.HandleFunc("GET /login", show(scanOf(g.pages, scan)))
	mux.HandleFunc("GET /error", show(errorOf(g.pages, mistaken)))
	mux.HandleFunc("GET /enter", show(func(w http.ResponseWriter, r *http.Request) error { return g.pages.Continue(w, r, g.asked) }))
	mux.HandleFunc("POST /enter", g.enter)
	mux.HandleFunc("POST "+api, g.faulty(g.create))
	mux.HandleFunc("GET "+api+"/{scan}", g.faulty(g.poll))
	mux.HandleFunc("POST "+api+"/{scan}/finish", g.faulty(g.finish))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<link rel="icon" href="data:,"><h1>`+r.URL.Path+`</h1>`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	g.url = server.URL
	g.asked = page.Continue{Action: "/enter", Ticket: "a-ticket", Return: "/after?x=1", Name: "Alice"}
	return g
}

// faulty responds with the next fault, if there is one.
func (g *gateway) faulty(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		respond := next
		if len(g.faults) > 0 {
			respond, g.faults = g.faults[0], g.faults[1:]
		}
		g.mu.Unlock()
		respond(w, r)
	}
}

// fail makes the next calls fail.
func (g *gateway) fail(faults ...http.HandlerFunc) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults = append(g.faults, faults...)
}

// status is a fault: a response with a status.
func status(code int, retryAfter string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(code)
	}
}

// breakOff is a fault: a connection that ends without a response.
func breakOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// captive is a fault: the login page of a network (captive portal).
func captive(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<h1>Airport</h1>") }

func (g *gateway) note(r *http.Request) {
	g.calls = append(g.calls, strings.Join([]string{r.Method, r.URL.Path, r.Header.Get("Origin"), r.Header.Get("Referer")}, " "))
}

func (g *gateway) create(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.note(r)
	g.made++
	g.set("waiting")
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"scan":"scan-%d","image":"data:image/png;base64,%s","number":"4821","expires_in":120}`, g.made, picture())
}

// poll waits until the state of the scan differs from the state that the page knows.
func (g *gateway) poll(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.polls++
	defer func() { g.polls-- }()
	if r.PathValue("scan") != fmt.Sprintf("scan-%d", g.made) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	known := r.FormValue("known")
	if known == "" {
		g.t.Error("a poll has no state: the gateway then waits until the code is scanned")
	}
	for g.state == known {
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
			g.mu.Lock()
		case <-r.Context().Done():
			g.mu.Lock()
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"state":%q}`, g.state)
}

func (g *gateway) finish(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.note(r)
	w.WriteHeader(http.StatusNoContent)
}

// enter receives the form of a ticket.
func (g *gateway) enter(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.note(r)
	if r.PostFormValue("ticket") != g.asked.Ticket {
		g.t.Errorf("the form has the ticket %q", r.PostFormValue("ticket"))
	}
	http.Redirect(w, r, r.PostFormValue("return"), http.StatusSeeOther)
}

// setState sets the state of the scan, as the phone would.
func (g *gateway) setState(state string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.set(state)
}

func (g *gateway) set(state string) {
	g.state = state
	close(g.changed)
	g.changed = make(chan struct{})
}

// recorded returns the calls so far, and the number of running polls.
func (g *gateway) recorded() (calls []string, polls int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.calls...), g.polls
}

// picture returns a PNG that looks like a mini program code.
func picture() string {
	const size, middle = 280, 140
	m := image.NewGray(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			dx, dy := float64(x-middle), float64(y-middle)
			r, a := math.Hypot(dx, dy), int(30*math.Atan2(dy, dx)/math.Pi)
			c := color.Gray{Y: 255}
			if r < 40 || r > 55 && r < 135 && (a*7+int(r)/8*5)%3 == 0 {
				c.Y = 20
			}
			m.SetGray(x, y, c)
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, m)
	return base64.StdEncoding.EncodeToString(b.Bytes())
}
