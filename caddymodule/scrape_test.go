package caddymodule_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestLoadWarnsOfMetrics: if wxgate guards a metrics handler, Prometheus cannot read the
// metrics, and every user can.
func TestLoadWarnsOfMetrics(t *testing.T) {
	const warning = "metrics is inside a site that wxgate guards"
	for name, tc := range map[string]struct {
		config string
		warns  bool
	}{
		"none":            {"http://{{.Addr}} {\nwxgate\nreverse_proxy {{.Upstream}}\n}", false},
		"beside":          {"http://{{.Addr}} {\nwxgate\nmetrics /metrics\nreverse_proxy {{.Upstream}}\n}", true},
		"in a handle":     {"http://{{.Addr}} {\nwxgate\nhandle /metrics {\nmetrics\n}\nreverse_proxy {{.Upstream}}\n}", true},
		"both in one":     {"http://{{.Addr}} {\nhandle /api/* {\nwxgate\nmetrics\n}\n}", true},
		"without a host":  {":{$WXGATE_TEST_PORT} {\nbind 127.0.0.1\nwxgate\nmetrics /metrics\n}", true},
		"another handle":  {"http://{{.Addr}} {\nhandle /metrics {\nmetrics\n}\nhandle {\nwxgate\n}\n}", false},
		"a later handle":  {"http://{{.Addr}} {\nhandle /api/* {\nwxgate\n}\nhandle {\nmetrics\n}\n}", false},
		"a separate site": {"http://{{.Addr}} {\nwxgate\nreverse_proxy {{.Upstream}}\n}\nhttp://{{.Plain}} {\nmetrics\n}", false},
		"another name":    {"http://a.localhost:{$WXGATE_TEST_PORT} {\nwxgate\n}\nhttp://b.localhost:{$WXGATE_TEST_PORT} {\nmetrics\n}", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, port, _ := strings.Cut(freeAddr(t), ":")
			t.Setenv("WXGATE_TEST_PORT", port)
			f := newFixture(t, siteWith{global: logTo("INFO"), sites: tc.config}.String())
			if warned := strings.Contains(f.log(), warning); warned != tc.warns {
				t.Errorf("warned: %v, want %v:\n%s", warned, tc.warns, f.log())
			}
		})
	}
}

// TestDocumentedScrape: the site of docs/observability.md serves the metrics without a
// token.
func TestDocumentedScrape(t *testing.T) {
	_, block, ok := strings.Cut(readDocument(t, "observability.md"), "\nhttp://:9180 {")
	if !ok {
		t.Fatal("docs/observability.md shows no site for Prometheus")
	}
	block, _, _ = strings.Cut(block, "\n:8080 {")
	f := newFixture(t, site+"http://:{{slice .Plain 10}} {"+block)
	f.token("alice")
	f.url = "http://" + f.plain
	a := f.do("GET", "/metrics", "")
	a.want(t, http.StatusOK, "")
	if !strings.Contains(a.body, "wxgate_") {
		t.Error("the response has no metrics of wxgate")
	}
}

// TestDocumentedIssuer: docs/api.md warns of the defaults of iss and aud, and the issuer that
// the page recommends changes both.
func TestDocumentedIssuer(t *testing.T) {
	_, page, _ := strings.Cut(readDocument(t, "api.md"), "\n## Public keys\n")
	page, _, _ = strings.Cut(page, "\n## ")
	if !strings.Contains(page, "both `iss` and `aud` is the word `wxgate`") {
		t.Error("docs/api.md does not warn of the default issuer")
	}
	_, block, ok := strings.Cut(page, "\t\ttoken {\n")
	if !ok {
		t.Fatal("docs/api.md recommends no issuer")
	}
	block, _, _ = strings.Cut(block, "}")
	for want, config := range map[string]string{
		"wxgate":                    site,
		"https://login.example.com": siteWith{wxgate: "token {\n" + block + "}"}.String(),
	} {
		f := newFixture(t, config)
		claims := claimsOf(t, f.token("alice"))
		if claims["iss"] != want || claims["aud"] != want {
			t.Errorf("iss %v, aud %v, want %s", claims["iss"], claims["aud"], want)
		}
		f.stop()
	}
}

// claimsOf reads an access token, unverified.
func claimsOf(t testing.TB, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %d parts", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
