package command

import (
	"os"
	"strings"
	"testing"
)

// TestDevPort is finding A12: Caddyfile.example runs beside wxgate dev by default. On
// one port both would start, and each would get a part of the requests.
func TestDevPort(t *testing.T) {
	text, err := os.ReadFile("../../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "{$PORT:")
	example, _, ok := strings.Cut(rest, "}")
	if dev := loopback(defaultDevPort); !ok || strings.HasSuffix(dev, ":"+example) {
		t.Errorf("wxgate dev listens on %s, Caddyfile.example on port %q", dev, example)
	}
}
