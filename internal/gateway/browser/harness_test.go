package browser

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wxgate/wxgate/internal/gateway/browser/page"
	"github.com/wxgate/wxgate/internal/problem"
)

const (
	shop   = "https://shop.example.com"
	prefix = "/v1.0/pub"
)

// newSite returns a site with all doors. change edits the configuration.
func newSite(t testing.TB, change func(*Config)) *Site {
	t.Helper()
	pages, err := page.New(page.Theme{}, "")
	if err != nil {
		t.Fatal(err)
	}
	config := Config{
		URL: shop, Prefix: prefix, Official: Official{App: "wx4"}, Website: "wx5", Scan: Scan{App: "wx1"}, Ticket: true,
		Return: []string{"https://m.example.com", "https://pay.example.com:8443"}, Pages: pages,
	}
	if change != nil {
		change(&config)
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// request returns a request with headers, which come in pairs.
func request(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// isProblem reports whether an error is this problem, and not another of the same class.
func isProblem(err error, want *problem.Problem) bool {
	var p *problem.Problem
	return errors.As(err, &p) && p == want
}
