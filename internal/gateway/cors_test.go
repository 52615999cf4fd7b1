package gateway

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/gateway/cors"
)

func TestCORS(t *testing.T) {
	t.Parallel()
	const h5, other = "https://h5.example.com", "https://evil-h5.example.com"
	with := newSite(t, func(_ *site, c *Config) {
		c.CORS = &cors.Policy{Origins: []string{h5}, Headers: []string{"Authorization", "X-A"}, Methods: []string{"GET", "PUT"}, MaxAge: 90 * time.Second}
	})
	without := newSite(t, nil)
	preflight := func(origin string) []string {
		return []string{"Origin", origin, "Access-Control-Request-Method", "PUT"}
	}
	for _, test := range []struct {
		name    string
		site    *site
		method  string
		headers []string
		status  int
		allowed string
		passes  bool
	}{
		{"a preflight", with, "OPTIONS", preflight(h5), 204, h5, false},
		{"a preflight of another origin", with, "OPTIONS", preflight(other), 403, "", false},
		{"a preflight without cors", without, "OPTIONS", preflight(h5), 403, "", false},
		{"a request", with, "GET", append([]string{"Origin", h5}, with.bearer()...), 200, h5, true},
		{"a request of another origin", with, "GET", append([]string{"Origin", other}, with.bearer()...), 200, "", true},
		{"a request without origin", with, "GET", with.bearer(), 200, "*", true},
		{"a request without cors", without, "GET", append([]string{"Origin", h5}, without.bearer()...), 200, "*", true},
		{"a refusal", with, "GET", []string{"Origin", h5}, 401, h5, false},
		{"a refusal of another origin", with, "GET", []string{"Origin", other}, 401, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.site.next = func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Access-Control-Allow-Origin", "*")
				w.Header().Set("Access-Control-Allow-Credentials", "true")
				w.WriteHeader(http.StatusOK)
				return nil
			}
			r := test.site.do(test.method, "/orders", "", test.headers...)
			if r.status != test.status || (test.site.passed != nil) != test.passes {
				t.Errorf("status %d, want %d; reached the upstream: %t", r.status, test.status, test.site.passed != nil)
			}
			if got := r.header["Access-Control-Allow-Origin"]; !slices.Equal(got, nonEmpty(test.allowed)) {
				t.Errorf("allowed origin %v, want %q", got, test.allowed)
			}
			if credentials := r.header.Get("Access-Control-Allow-Credentials"); (credentials != "") != (test.allowed == "*") {
				t.Errorf("credentials %q", credentials)
			}
			if vary := r.header.Get("Vary"); (vary == "Origin") != (test.site == with) {
				t.Errorf("Vary %q", vary)
			}
			if exposed := r.header.Get("Access-Control-Expose-Headers"); (exposed != "") != (test.allowed == h5) {
				t.Errorf("exposed %q", exposed)
			}
			if test.status == http.StatusNoContent && (r.header.Get("Access-Control-Allow-Methods") != "GET, PUT" || r.header.Get("Access-Control-Allow-Headers") != "Authorization, X-A" || r.header.Get("Access-Control-Max-Age") != "90") {
				t.Errorf("headers %v", r.header)
			}
		})
	}
}

func nonEmpty(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}
