// Package cors decides which pages of other origins may call a site.
package cors

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/gateway/writer"
)

// Policy lists the pages of other origins that may call a site (Fetch section 3.2).
type Policy struct {
	Origins []string // exactly as browsers send them
	Headers []string // that pages may send
	Methods []string
	MaxAge  time.Duration // how long a browser may keep the response to a preflight
}

// CheckOrigin returns an error unless a browser could send origin, which is
// scheme://host[:port].
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin {
		return fmt.Errorf("origin %q: expected scheme://host[:port]", origin)
	}
	return nil
}

// Handle adds the headers that an allowed origin needs and responds to preflights, which
// have no token and must not reach an upstream. It reports whether it has responded. If
// not, it returns the writer to respond with. The nil *Policy allows no origin.
func (p *Policy) Handle(w http.ResponseWriter, r *http.Request) (_ http.ResponseWriter, responded bool) {
	h := w.Header()
	if p != nil {
		h.Add("Vary", "Origin") // also without an Origin: a cache could return that response to a page
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return w, false
	}
	allowed := p != nil && slices.Contains(p.Origins, origin)
	if allowed {
		h.Set(allowOrigin, origin)
		h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
	}
	switch {
	case !edge.IsPreflight(r) && p == nil:
		return w, false
	case !edge.IsPreflight(r):
		return &responseWriter{writer.Base{ResponseWriter: w}, h[allowOrigin]}, false
	case !allowed:
		w.WriteHeader(http.StatusForbidden)
		return w, true
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(p.Methods, ", "))
	h.Set("Access-Control-Allow-Headers", strings.Join(p.Headers, ", "))
	h.Set("Access-Control-Max-Age", strconv.Itoa(int(p.MaxAge.Seconds())))
	w.WriteHeader(http.StatusNoContent)
	return w, true
}

const allowOrigin = "Access-Control-Allow-Origin"

// responseWriter replaces an upstream's CORS headers with the gateway's. Many backends set CORS
// headers too, and a proxy would add to them. Browsers refuse a duplicate
// Access-Control-Allow-Origin, and a "*" of the upstream would allow pages that the operator
// did not configure.
type responseWriter struct {
	writer.Base
	allowed []string // the origin, if any
}

// WriteHeader replaces the upstream's headers. An upstream that writes a body without calling
// it has set no headers.
func (w *responseWriter) WriteHeader(status int) {
	h := w.Header()
	delete(h, "Access-Control-Allow-Credentials")
	if delete(h, allowOrigin); w.allowed != nil {
		h[allowOrigin] = w.allowed
	}
	w.ResponseWriter.WriteHeader(status)
}
