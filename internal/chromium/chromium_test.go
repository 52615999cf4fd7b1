package chromium

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// recorder is a test that may fail.
type recorder struct {
	testing.TB

	errors []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) Error(args ...any) { r.errors = append(r.errors, fmt.Sprint(args...)) }

// serve serves pages, by their paths.
func serve(t *testing.T, pages map[string]string) (origin string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "img-src 'self' data:")
		_, _ = io.WriteString(w, `<!doctype html><link rel="icon" href="data:,">`+page)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestReports: what goes wrong in a page fails its test.
func TestReports(t *testing.T) {
	Open(t, Options{}) // so that Chromium starts once
	other := serve(t, map[string]string{"/data": ""})
	page := func(script string) string {
		return `<script>(async () => {` + script + `})().finally(() => setTimeout(() => document.title = "done", 100))</script>`
	}
	origin := serve(t, map[string]string{
		"/nothing":   page(`console.log("said")`),
		"/console":   page(`console.error("bad")`),
		"/warning":   page(`console.warn("odd")`),
		"/exception": page(`setTimeout(() => { throw new Error("thrown") })`),
		"/policy":    page(`document.head.append(Object.assign(new Image, {src: "http://127.0.0.2/x.png"}))`),
		"/status":    page(`await fetch("/missing")`),
		"/other":     page(`await fetch("` + other + `/data")`),
	})
	for _, c := range []struct {
		path    string
		options Options
		want    string // of the only error, "" for none
	}{
		{path: "/nothing", options: Options{Origins: []string{origin}, Statuses: true}},
		{path: "/console", want: `console: [{"type":"string","value":"bad"}]`},
		{path: "/warning", want: `console: [{"type":"string","value":"odd"}]`},
		{path: "/exception", want: "exception: Uncaught Error: thrown"},
		{path: "/policy", want: "Content Security Policy"},
		{path: "/status"},
		{path: "/status", options: Options{Statuses: true}, want: "status of 404"},
		{path: "/other"},
		{path: "/other", options: Options{Origins: []string{origin, other}}},
		{path: "/other", options: Options{Origins: []string{origin}}, want: "request to another origin: " + other + "/data"},
	} {
		t.Run(fmt.Sprintf("%s %v", c.path[1:], c.options.Statuses), func(t *testing.T) {
			r := &recorder{TB: t}
			b := Open(r, c.options)
			Do(b, chromedp.Navigate(origin+c.path))
			b.Wait(`document.title === "done"`)
			b.Close()
			if c.want == "" && len(r.errors) > 0 || c.want != "" && (len(r.errors) != 1 || !strings.Contains(r.errors[0], c.want)) {
				t.Errorf("errors %q, want %q", r.errors, c.want)
			}
		})
	}
}

// TestForgive: a test may expect an error, which must occur.
func TestForgive(t *testing.T) {
	r := &recorder{TB: t}
	b := Open(r, Options{})
	b.Run(`console.error("expected"); console.error("expected too"); console.error("another")`)
	b.Wait(`true`) // the events came before
	if n := b.Forgive("expected"); n != 2 {
		t.Errorf("%d errors are forgiven, want 2", n)
	}
	b.Forgive("none such")
	b.Close()
	if len(r.errors) != 2 || !strings.Contains(r.errors[0], "none such") || !strings.Contains(r.errors[1], "another") {
		t.Errorf("errors %q", r.errors)
	}
}

// TestOpen: tabs share one Chromium, which ends with the last, and no cookies.
func TestOpen(t *testing.T) {
	origin := serve(t, map[string]string{"/": "<h1>Hello</h1>"})
	var urls []string
	first := Open(t, Options{OnRequest: func(method, url string) { urls = append(urls, method+" "+url) }})
	browser := shared.ctx
	second := Open(t, Options{})
	for _, b := range []*Tab{first, second} {
		Do(b, chromedp.Navigate(origin+"/"))
		if got := Value[string](b, `document.cookie`); got != "" {
			t.Errorf("the cookie is %q", got)
		}
		b.Run(`document.cookie = "a=b"`)
	}
	if over := second.Resize(300); over != 0 || Value[int](second, `innerWidth`) != 300 {
		t.Errorf("the page is %d pixels too wide for 300", over)
	}
	second.Theme("dark")
	if !Value[bool](second, `matchMedia("(prefers-color-scheme: dark)").matches`) {
		t.Error("the theme is not dark")
	}
	first.Close()
	if shared.ctx != browser || browser.Err() != nil {
		t.Error("the second tab has another Chromium, or none")
	}
	second.Close()
	if shared.ctx != nil || browser.Err() == nil {
		t.Error("Chromium runs without tabs")
	}
	if want := []string{"GET " + origin + "/"}; !slices.Equal(urls, want) {
		t.Errorf("requests %q, want %q", urls, want)
	}
}
