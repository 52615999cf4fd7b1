package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// demoUpstream stands for the business service behind the gateway: it shows what
// it received, headers sorted, one on a line.
func demoUpstream(w http.ResponseWriter, r *http.Request) {
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
	_, _ = w.Write([]byte(b.String())) // the caller hung up: nothing to do about it
}
