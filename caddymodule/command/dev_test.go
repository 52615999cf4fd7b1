package command

import (
	"os"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/demo/service"
)

// TestDevPort: Caddyfile.example and wxgate dev have different default ports. On the same port
// both would start, and each would get a part of the requests (finding A12).
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

// TestChoosePorts: the port of a service of one's own stays free, also before the service runs.
func TestChoosePorts(t *testing.T) {
	own, err := service.Parse("19043")
	if err != nil {
		t.Fatal(err)
	}
	c := devConfig{gateway: "127.0.0.1:19043", simulator: "127.0.0.1:0", management: "127.0.0.1:0", upstream: "127.0.0.1:19043", playground: "127.0.0.1:0", attacked: "127.0.0.1:0", echo: "127.0.0.1:0", own: own}
	if err := c.choosePorts(true); err == nil || !strings.Contains(err.Error(), "choose another with --port") {
		t.Errorf("a port that was asked for: %v", err)
	}
	if err := c.choosePorts(false); err != nil || own.Has(c.gateway) || own.Has(c.upstream) {
		t.Errorf("%+v (%v)", c, err)
	}
}
