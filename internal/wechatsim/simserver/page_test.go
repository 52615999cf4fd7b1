package simserver_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

// browse makes a request to the management side as a browser on this machine does.
func browse(t *testing.T, method, path string, header map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr, r.Host = "127.0.0.1:9", "127.0.0.1:9912"
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	simserver.Management(wechatsim.New(wechatsim.Config{}), "http://127.0.0.1:9911").ServeHTTP(w, r)
	return w
}

// TestPage asks for / as a browser and as curl, and for every file that the page names.
func TestPage(t *testing.T) {
	t.Parallel()
	w := browse(t, http.MethodGet, "/", map[string]string{"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
	html := w.Body.String()
	if w.Code != http.StatusOK || !strings.HasPrefix(html, "<!doctype html>") {
		t.Fatalf("a browser gets %d %.40q", w.Code, html)
	}
	if curl := browse(t, http.MethodGet, "/", map[string]string{"Accept": "*/*"}).Body.String(); !strings.HasPrefix(curl, "wechatsim: ") {
		t.Errorf("curl gets %.40q", curl)
	}
	size := len(html)
	names := regexp.MustCompile(`/page/[a-z.]+`).FindAllString(html, -1)
	for i := 0; i < len(names); i++ { // names grows
		w := browse(t, http.MethodGet, names[i], nil)
		if w.Code != http.StatusOK {
			t.Errorf("%s = %d", names[i], w.Code)
		}
		size += w.Body.Len()
		for _, module := range regexp.MustCompile(`from '\./([a-z]+\.js)'`).FindAllStringSubmatch(w.Body.String(), -1) {
			if name := "/page/" + module[1]; !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) < 7 || size > 50<<10 {
		t.Errorf("the page has %d files and %d bytes, want at least 7 and at most 50 KiB", len(names), size)
	}
	if w := browse(t, http.MethodGet, "/page/", nil); w.Code != http.StatusNotFound {
		t.Errorf("a folder = %d, want 404", w.Code)
	}
}

// TestPagePolicy reads the headers that keep a text of a request from becoming a script, and the
// page from being shown in another site's.
func TestPagePolicy(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/page/main.js"} {
		header := browse(t, http.MethodGet, path, map[string]string{"Accept": "text/html"}).Header()
		policy := header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q lacks %s", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("%s: the policy %q allows inline scripts or another host", path, policy)
		}
		if header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: no nosniff", path)
		}
	}
}

// TestManagementCrossSite refuses what another site's page sends, which needs no preflight.
func TestManagementCrossSite(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		header map[string]string
		want   int
	}{
		{nil, http.StatusNoContent}, // curl
		{map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:9912"}, http.StatusNoContent},
		{map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, http.StatusForbidden},
		{map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8080"}, http.StatusForbidden},
		{map[string]string{"Origin": "https://evil.example"}, http.StatusForbidden}, // an old browser
		{map[string]string{"Origin": "null"}, http.StatusForbidden},
	} {
		if got := browse(t, http.MethodPost, "/expire-tokens", test.header).Code; got != test.want {
			t.Errorf("POST with %v = %d, want %d", test.header, got, test.want)
		}
	}
}

// TestManagementKnows reads what the page needs: the apps, the users and the kinds of faults.
func TestManagementKnows(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/apps":  `{"appid":"1100000001","secret":"00000000000000000000000000000002","platform":"qq","miniprogram":"1100000001","api":"http://127.0.0.1:9911/qq"}`,
		"/about": `"api":"http://127.0.0.1:9911"`,
		"/users": `[]`,
	} {
		if got := browse(t, http.MethodGet, path, nil).Body.String(); !strings.Contains(got, want) {
			t.Errorf("%s = %s, want %s", path, got, want)
		}
	}
	if got := browse(t, http.MethodGet, "/requests?limit=-1", nil).Code; got != http.StatusBadRequest {
		t.Errorf("limit -1 = %d, want 400", got)
	}
}
