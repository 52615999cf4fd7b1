package gateway

import (
	"net/http"
	"strconv"
	"time"

	"github.com/wxgate/wxgate/internal/token/keyring"
)

type healthResponse struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons,omitzero"`
}

// serveLive is GET {prefix}/live: the process runs. A failure is a reason to restart the
// process, so services outside the process are not checked.
func (g *Gateway) serveLive(c *call) error {
	return WriteJSON(c.w, http.StatusOK, healthResponse{Status: "live"})
}

// serveReady is GET {prefix}/ready: requests can be served. A failure is a reason for a load
// balancer to use another machine.
//
// A shared store that is down is not a failure as long as tokens are accepted: it is down for
// all machines, and a load balancer would have no machine left.
func (g *Gateway) serveReady(c *call) error {
	var reasons []string
	if err := c.runtime.Ready(c.r.Context()); err != nil {
		reasons = append(reasons, "store_unavailable")
	}
	switch {
	case g.Server.ShuttingDown(c.r):
		reasons = append(reasons, "shutting_down")
	case c.runtime.Stale != nil && g.fresh(c.runtime) != nil:
		reasons = append(reasons, "revocations_stale")
	case len(reasons) == 0:
		return WriteJSON(c.w, http.StatusOK, healthResponse{Status: "ready"})
	case c.runtime.Stale != nil:
		return WriteJSON(c.w, http.StatusOK, healthResponse{Status: "degraded", Reasons: reasons})
	}
	return WriteJSON(c.w, http.StatusServiceUnavailable, healthResponse{Status: "unready", Reasons: reasons})
}

// serveJWKS is GET /.well-known/jwks.json (RFC 7517).
func (g *Gateway) serveJWKS(c *call) error {
	keys, etag := c.runtime.Ring.JWKS()
	header := c.w.Header()
	setMaxAge(header, keyring.JWKSMaxAge)
	header.Set("ETag", etag)
	if c.r.Header.Get("If-None-Match") == etag {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return writeBytes(c.w, http.StatusOK, keys)
}

// metadataMaxAge is how long the metadata may be cached. It has URLs only, which change
// with the configuration.
const metadataMaxAge = time.Hour

var metadataEndpoint = endpoint{name: "metadata", method: http.MethodGet, serve: (*Gateway).serveMetadata, stateless: true}

// serveMetadata is GET /.well-known/oauth-authorization-server (RFC 8414).
func (g *Gateway) serveMetadata(c *call) error {
	setMaxAge(c.w.Header(), metadataMaxAge)
	return writeBytes(c.w, http.StatusOK, g.config.Metadata.Document)
}

// setMaxAge lets caches store a public document.
func setMaxAge(header http.Header, age time.Duration) {
	header.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(age/time.Second)))
}
