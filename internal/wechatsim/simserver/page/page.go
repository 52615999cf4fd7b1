// Package page has the page of the simulator's controls, for browsers.
package page

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"
)

// files are the page: one HTML file, its style and its modules.
//
//go:embed files
var files embed.FS

// policy has the browser load everything from the page's own origin, run no inline script and
// show the page in no frame: what the page shows comes from requests that anybody may have
// sent to the API (cross-site scripting, clickjacking).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Wanted reports whether a request is a browser's, which accepts HTML. curl accepts anything
// and names nothing.
func Wanted(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// Index serves the HTML of the page.
func Index(w http.ResponseWriter, r *http.Request) {
	serve(w, r, "files/index.html")
}

// Files serves what the HTML names, below a prefix that ends with a slash.
func Files(prefix string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve(w, r, "files/"+strings.TrimPrefix(r.URL.Path, prefix))
	})
}

func serve(w http.ResponseWriter, r *http.Request, name string) {
	if info, err := fs.Stat(files, name); err != nil || info.IsDir() {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store") // the next version may have the same address
	w.Header().Set("Vary", "Accept")
	http.ServeFileFS(w, r, files, name) //nolint:gosec // G703: the file system is embedded
}
