package page_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/wxgate/wxgate/internal/gateway/browser/page"
)

// The data that most tests use.
var (
	scan     = page.Scan{API: "/v1.0/pub/web/scan", Return: "/after?x=1", Website: "/v1.0/pub/web/login?door=website"}
	asking   = page.Continue{Action: "/v1.0/pub/web/enter", Ticket: "a-ticket", Return: "/after?x=1", Name: "Alice"}
	mistaken = page.Error{Status: 403, Code: "cross_site", Detail: "A detail.", RequestID: "a-request", Retry: "/v1.0/pub/web/login"}
)

// newPages returns the pages of a folder; "" for the built-in pages.
func newPages(t *testing.T, theme page.Theme, folder string) *page.Pages {
	t.Helper()
	p, err := page.New(theme, folder)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// get returns the response of a page to a browser with a language.
func get(t *testing.T, language string, serve func(w http.ResponseWriter, r *http.Request) error) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Language", language)
	w := httptest.NewRecorder()
	if err := serve(w, r); err != nil {
		t.Fatal(err)
	}
	return w
}

func scanOf(p *page.Pages, s page.Scan) func(w http.ResponseWriter, r *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error { return p.Scan(w, r, s) }
}

func continueOf(p *page.Pages, c page.Continue) func(w http.ResponseWriter, r *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error { return p.Continue(w, r, c) }
}

func errorOf(p *page.Pages, e page.Error) func(w http.ResponseWriter, r *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error { return p.Error(w, r, e) }
}

// served are the three pages, by name.
func served(p *page.Pages) map[string]func(w http.ResponseWriter, r *http.Request) error {
	return map[string]func(w http.ResponseWriter, r *http.Request) error{
		"scan": scanOf(p, scan), "continue": continueOf(p, asking), "error": errorOf(p, mistaken),
	}
}

var nonceInPolicy = regexp.MustCompile(`script-src 'nonce-([\w-]{22})'; style-src 'nonce-([\w-]{22})'`)

func TestHeaders(t *testing.T) {
	t.Parallel()
	nonces := map[string]bool{}
	for name, serve := range served(newPages(t, page.Theme{}, "")) {
		for range 2 {
			w := get(t, "", serve)
			policy := w.Header().Get("Content-Security-Policy")
			m := nonceInPolicy.FindStringSubmatch(policy)
			if m == nil || m[1] != m[2] || nonces[m[1]] {
				t.Fatalf("%s: the nonces of %q are absent, differ or are not new", name, policy)
			}
			nonces[m[1]] = true
			want := http.Header{
				"Content-Type":                 {"text/html; charset=utf-8"},
				"Content-Language":             {"en"},
				"Vary":                         {"Accept-Language"},
				"X-Frame-Options":              {"DENY"},
				"X-Content-Type-Options":       {"nosniff"},
				"Cross-Origin-Resource-Policy": {"same-origin"},
				"Cache-Control":                {"no-store"},
				"Referrer-Policy":              {"no-referrer"},
				"Content-Security-Policy": {"default-src 'none'; script-src 'nonce-" + m[1] + "'; style-src 'nonce-" + m[1] +
					"'; img-src data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"},
			}
			if name == "continue" {
				want.Set("Referrer-Policy", "strict-origin") // see Continue
			}
			if !reflect.DeepEqual(w.Header(), want) {
				t.Errorf("%s: headers %v, want %v", name, w.Header(), want)
			}
			if n := strings.Count(w.Body.String(), ` nonce="`+m[1]+`"`); n == 0 || n != strings.Count(w.Body.String(), "<s"+"tyle ")+strings.Count(w.Body.String(), "<script ") {
				t.Errorf("%s: %d elements have the nonce", name, n)
			}
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	p := newPages(t, page.Theme{}, "")
	for status, want := range map[int]int{400: 400, 403: 403, 503: 503, 599: 599, 0: 500, 200: 500, 99: 500, 600: 500} {
		if w := get(t, "", errorOf(p, page.Error{Status: status})); w.Code != want {
			t.Errorf("an error with status %d has %d, want %d", status, w.Code, want)
		}
	}
	if a, b := get(t, "", scanOf(p, scan)), get(t, "", continueOf(p, asking)); a.Code != http.StatusOK || b.Code != http.StatusOK {
		t.Errorf("the pages have the statuses %d and %d", a.Code, b.Code)
	}
}

// TestFormTarget: the form of a ticket may redirect to the origin of its return. A return
// cannot add anything else to the policy.
func TestFormTarget(t *testing.T) {
	t.Parallel()
	p := newPages(t, page.Theme{}, "")
	for target, want := range map[string]string{
		"/after":                                "'self'",
		"https://Shop.example.com/a?b#c":        "'self' https://shop.example.com",
		"http://127.0.0.1:8080/":                "'self' http://127.0.0.1:8080",
		"https://user:secret@shop.example.com/": "'self' https://shop.example.com",
		"https://a;script-src *":                "'self'",
		"https://a;script-src%20*/":             "'self'",
		"https://*/":                            "'self'",
		"https://[::1]/":                        "'self'",
		"javascript://a/%0aalert(1)":            "'self'",
		"":                                      "'self'",
	} {
		policy := get(t, "", continueOf(p, page.Continue{Return: target})).Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "; form-action "+want+"; frame-ancestors") || strings.Count(policy, ";") != 7 {
			t.Errorf("%q: %s", target, policy)
		}
	}
}

// attribute returns an attribute of the first element that has another attribute with a value.
func attribute(t *testing.T, w *httptest.ResponseRecorder, key, value, name string) string {
	t.Helper()
	root, err := html.Parse(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		found := map[string]string{}
		for _, a := range n.Attr {
			found[a.Key] = a.Val
		}
		if found[key] == value {
			return found[name]
		}
	}
	t.Fatalf("no element has %s=%q", key, value)
	return ""
}

// hostile are texts that would inject HTML or script if a template did not escape them.
var hostile = []string{
	`"><script>alert(1)</script>`, `' onload='alert(1)`, `</script><script>alert(1)</script>`, "`${alert(1)}`", `</style><img src=x onerror=alert(1)>`, `{{.Nonce}}`, "\x00<b>", `&quot;><b>`,
}

// TestEscaping uses hostile texts for all values: the elements of the page stay the same.
func TestEscaping(t *testing.T) {
	t.Parallel()
	p := newPages(t, page.Theme{}, "")
	for _, s := range hostile {
		for name, pair := range map[string][2]func(http.ResponseWriter, *http.Request) error{
			"scan":     {scanOf(p, scan), scanOf(p, page.Scan{API: s, Return: "/" + s, Website: "/" + s})},
			"continue": {continueOf(p, asking), continueOf(p, page.Continue{Action: "/" + s, Ticket: s, Return: s, Name: s})},
			"error":    {errorOf(p, mistaken), errorOf(p, page.Error{Code: s, Title: s, Detail: s, RequestID: s, Retry: "/" + s})},
		} {
			if got, want := elements(t, get(t, "", pair[1])), elements(t, get(t, "", pair[0])); got != want {
				t.Errorf("%s with %q has the elements\n%s, want\n%s", name, s, got, want)
			}
		}
		if got := attribute(t, get(t, "", continueOf(p, page.Continue{Ticket: s})), "name", "ticket", "value"); got != strings.ReplaceAll(s, "\x00", "\uFFFD") {
			t.Errorf("the ticket %q is sent as %q", s, got)
		}
	}
}

// elements are the elements of a page with the names of their attributes.
func elements(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	root, err := html.Parse(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		b.WriteString(n.Data)
		for _, a := range n.Attr {
			b.WriteString(" " + a.Key)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestReturn: the script navigates to the URL in the element wxgate-return. The URL is the one
// of the gateway, and never a javascript: URL.
func TestReturn(t *testing.T) {
	t.Parallel()
	p := newPages(t, page.Theme{}, "")
	for target, want := range map[string]string{
		"/a?b=c&d=%22#e":                  "/a?b=c&d=%22#e",
		"https://shop.example.com/":       "https://shop.example.com/",
		`/"quoted"'`:                      "/%22quoted%22%27",
		"javascript:alert(1)":             "#ZgotmplZ",
		" JavaScript:alert(1)":            "#ZgotmplZ",
		"data:text/html,<script>1<":       "#ZgotmplZ",
		"vbscript:x":                      "#ZgotmplZ",
		"/</script><script>alert(1)//":    "/%3c/script%3e%3cscript%3ealert%281%29//",
		"/路径":                             "/%e8%b7%af%e5%be%84",
		"/already%20escaped?and=not this": "/already%20escaped?and=not%20this",
	} {
		if got := attribute(t, get(t, "", scanOf(p, page.Scan{Return: target})), "id", "wxgate-return", "href"); got != want {
			t.Errorf("%q becomes %q, want %q", target, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	const maxPage, maxScript = 12 << 10, 4 << 10
	script := regexp.MustCompile(`(?s)<script [^>]*>(.*)</script>`)
	for name, serve := range served(newPages(t, page.Theme{Accent: "#1a73e8", Background: "#fafafa"}, "")) {
		for _, language := range []string{"en", "zh-CN"} {
			body := get(t, language, serve).Body.String()
			if len(body) >= maxPage {
				t.Errorf("%s in %s has %d bytes", name, language, len(body))
			}
			m := script.FindStringSubmatch(body)
			if (m == nil) == (name == "scan") {
				t.Errorf("%s: script %v", name, m)
			}
			if m != nil && (len(m[1]) >= maxScript || strings.Contains(m[1], "//")) {
				t.Errorf("the script has %d bytes, or comments", len(m[1]))
			}
			if address := regexp.MustCompile(`(?:src|href|action|url\()=?["']?(?:https?:)?//[^"' ]*`).FindString(body); address != "" {
				t.Errorf("%s contains a URL of another host: %s", name, address)
			}
		}
	}
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
