package cors

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestCheckOrigin(t *testing.T) {
	t.Parallel()
	for origin, ok := range map[string]bool{
		"https://h5.example.com": true, "http://127.0.0.1:3000": true,
		"": false, "*": false, "null": false, "h5.example.com": false, "https://": false, "https://a/": false, "https://a/b": false, "https://a?x": false, "https://u@a": false, "//a": false, "https://%zz": false,
	} {
		if err := CheckOrigin(origin); (err == nil) != ok {
			t.Errorf("%q: %v", origin, err)
		}
	}
}

// TestNoPolicy: without a policy no page may call the site, and other requests pass unchanged.
func TestNoPolicy(t *testing.T) {
	t.Parallel()
	var none *Policy
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Origin", "https://h5.example.com")
	if passed, responded := none.Handle(w, r); responded || passed != http.ResponseWriter(w) || len(w.Header()) != 0 {
		t.Errorf("a request: responded %t, headers %v", responded, w.Header())
	}
	r.Method = http.MethodOptions
	r.Header.Set("Access-Control-Request-Method", "PUT")
	if _, responded := none.Handle(w, r); !responded || w.Code != http.StatusForbidden {
		t.Errorf("a preflight: responded %t, status %d", responded, w.Code)
	}
}
