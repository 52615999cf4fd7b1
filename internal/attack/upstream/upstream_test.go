package upstream_test

import (
	"testing"

	"github.com/wxgate/wxgate/internal/attack/upstream"
)

// TestReadings: the models read the same paths as the servers that they represent.
func TestReadings(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/public/..;/admin":              "/admin", // Tomcat
		"/public/%2e%2e/admin":           "/admin", // Go, WHATWG
		"/public/%252e%252e%252fadmin":   "/admin", // twice
		`/public\..\admin`:               "/admin", // WHATWG
		"/admin%23/public/":              "/admin",
		"/admin%00/public/":              "/admin",
		"/public/%c0%ae%c0%ae/admin":     "/admin",
		"/public/%e0%80%ae%e0%80%ae/adm": "/adm",
		"/public/..%20/admin":            "/admin", // IIS
		"/public/%u002e%u002e/admin":     "/admin",
		"http://a/public/../admin?x":     "/admin",
		"/public/x":                      "/public/x",
	} {
		found := false
		for _, reading := range upstream.Readings(target) {
			found = found || reading == want
		}
		if !found {
			t.Errorf("%s: no reading is %s: %q", target, want, upstream.Readings(target))
		}
	}
}
