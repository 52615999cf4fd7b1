package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/internal/edge"
)

// CORS lets pages of other origins call the site (Fetch section 3.2). Mini
// programs need none of it; their H5 siblings do.
type CORS struct {
	// The origins, such as `https://h5.example.com`, exactly as browsers send
	// them: no wildcard and no suffix, which would admit evil-example.com.
	Origins []string `json:"origins,omitempty"`
	// Request headers that pages may send. Default Authorization, Content-Type.
	Headers []string `json:"headers,omitempty"`
	// Methods that pages may use. Default GET, POST, PUT, PATCH, DELETE.
	Methods []string `json:"methods,omitempty"`
	// How long a browser may keep the answer to a preflight. Default 10m.
	MaxAge caddy.Duration `json:"max_age,omitempty"`
}

// defaultCORSMaxAge is the most that Chromium honours of two hours, divided so
// that a changed setting is felt the same day.
const defaultCORSMaxAge = 10 * time.Minute

var (
	defaultCORSHeaders = []string{"Authorization", "Content-Type"}
	defaultCORSMethods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
)

func (c *CORS) validate() error {
	if c == nil {
		return nil
	}
	if len(c.Origins) == 0 {
		return errors.New("name the origins: origins https://h5.example.com")
	}
	for _, origin := range c.Origins {
		if err := checkOrigin(origin); err != nil {
			return err
		}
	}
	if len(c.Headers) == 0 {
		c.Headers = defaultCORSHeaders
	}
	if len(c.Methods) == 0 {
		c.Methods = defaultCORSMethods
	}
	if c.MaxAge == 0 {
		c.MaxAge = caddy.Duration(defaultCORSMaxAge)
	}
	return nil
}

// checkOrigin accepts what a browser could send as Origin, scheme://host[:port].
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin {
		return fmt.Errorf("origin %q: write scheme://host[:port] and nothing more", origin)
	}
	return nil
}

// handle adds the headers that an allowed origin needs and answers preflights,
// which carry no token and must never reach an upstream as if they had. It
// reports whether the request is answered, and else returns the writer to answer
// it with.
func (c *CORS) handle(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, bool) {
	h := w.Header()
	if c != nil {
		h.Add("Vary", "Origin") // also without one: a cache would hand that answer to a page
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return w, false
	}
	allowed := c != nil && slices.Contains(c.Origins, origin)
	if allowed {
		h.Set(allowOrigin, origin)
		h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
	}
	switch {
	case !edge.IsPreflight(r) && c == nil:
		return w, false
	case !edge.IsPreflight(r):
		return &corsWriter{&caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, h[allowOrigin]}, false
	case !allowed:
		w.WriteHeader(http.StatusForbidden)
		return w, true
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(c.Methods, ", "))
	h.Set("Access-Control-Allow-Headers", strings.Join(c.Headers, ", "))
	h.Set("Access-Control-Max-Age", strconv.Itoa(int(time.Duration(c.MaxAge).Seconds())))
	w.WriteHeader(http.StatusNoContent)
	return w, true
}

const allowOrigin = "Access-Control-Allow-Origin"

// corsWriter has the gateway alone say which origin may read an answer. Many a
// backend has CORS of its own, and proxies add: two Allow-Origin are none to a
// browser, and an upstream's "*" would let in whom the operator did not name.
type corsWriter struct {
	*caddyhttp.ResponseWriterWrapper
	allowed []string // the origin, if any
}

// WriteHeader puts the gateway's word in place of the upstream's. Whoever writes a
// body without it says nothing of origins either.
func (w *corsWriter) WriteHeader(status int) {
	h := w.Header()
	delete(h, "Access-Control-Allow-Credentials")
	if delete(h, allowOrigin); w.allowed != nil {
		h[allowOrigin] = w.allowed
	}
	w.ResponseWriter.WriteHeader(status)
}
