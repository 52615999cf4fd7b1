package demo

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestWalkthroughOfOwn: with a service of one's own, the lines call a path that it has.
func TestWalkthroughOfOwn(t *testing.T) {
	var b strings.Builder
	w := Walkthrough{Playground: "127.0.0.1:18089", Gateway: "127.0.0.1:18088", Upstream: "127.0.0.1:3000", Own: true, Down: true}
	if err := w.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"playground  http://127.0.0.1:18089/\nyour service http://127.0.0.1:3000/  does not respond yet; start it\n\n",
		"\ncurl -d path=/ -d forge=yes 127.0.0.1:18089/sh/call\n", "\nweb login   http://127.0.0.1:18088/\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	for line := range strings.Lines(b.String()) {
		if utf8.RuneCountInString(line) > 81 {
			t.Errorf("more than 80 columns: %s", line)
		}
	}
	if strings.Contains(b.String(), "/api/orders") {
		t.Errorf("it calls a path of the demo:\n%s", b.String())
	}
}
