package caddymodule

import (
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/internal/token"
)

type healthAnswer struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons,omitzero"`
}

// serveLive is GET {prefix}/live: the process runs. A failure here is a reason
// to restart it, so nothing outside the process counts.
func (h *Handler) serveLive(c *call) error {
	return answerJSON(c.w, http.StatusOK, healthAnswer{Status: "live"})
}

// serveReady is GET {prefix}/ready: requests can be served. A failure here is a
// reason to send them elsewhere.
//
// A shared store that is down is not such a reason as long as tokens are accepted: it
// is down for all machines, and a load balancer would find none.
func (h *Handler) serveReady(c *call) error {
	reasons := c.runtime.unready(c.r.Context())
	switch {
	case shuttingDown(c.r):
		reasons = append(reasons, "shutting_down")
	case c.runtime.stale != nil && h.fresh(c.runtime) != nil:
		reasons = append(reasons, "revocations_stale")
	case len(reasons) == 0:
		return answerJSON(c.w, http.StatusOK, healthAnswer{Status: "ready"})
	case c.runtime.stale != nil:
		return answerJSON(c.w, http.StatusOK, healthAnswer{Status: "degraded", Reasons: reasons})
	}
	return answerJSON(c.w, http.StatusServiceUnavailable, healthAnswer{Status: "unready", Reasons: reasons})
}

// shuttingDown reports whether the process is exiting, or a reload closes the
// listener of this request. In both cases Caddy waits for shutdown_delay before it
// refuses connections, and load balancers should stop sending requests meanwhile.
func shuttingDown(r *http.Request) bool {
	if caddy.Exiting() {
		return true
	}
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return false
	}
	value, _ := repl.Get("http.shutting_down")
	closing, ok := value.(bool)
	return ok && closing
}

// serveJWKS is GET /.well-known/jwks.json (RFC 7517).
func (h *Handler) serveJWKS(c *call) error {
	keys, etag := c.runtime.ring.JWKS()
	header := c.w.Header()
	header.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(token.JWKSMaxAge/time.Second)))
	header.Set("ETag", etag)
	if c.r.Header.Get("If-None-Match") == etag {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return answerBytes(c.w, http.StatusOK, keys)
}
