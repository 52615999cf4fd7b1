// Package demo has what `wxgate dev` shows beside the gateway: an upstream, and the commands
// to try.
package demo

import (
	_ "embed"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Caddyfile is Caddyfile.example.
//
//go:embed Caddyfile.example
var Caddyfile []byte

// DevCaddyfile is what `wxgate dev` runs: the example with more to show.
//
//go:embed Caddyfile.dev
var DevCaddyfile []byte

// Upstream is the service behind the gateway. It responds with what it received, headers
// sorted, one on a line.
func Upstream(w http.ResponseWriter, r *http.Request) {
	var names []string
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL.RequestURI())
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(r.Header[name], ", "))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte(b.String())) // the client has gone
}
