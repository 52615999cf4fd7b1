package caddymodule

import "net/http"

// send writes what the upstream gets of a decision: the identity into header, and
// into the placeholders of r. An anonymous request has neither.
func (g *guard) send(r *http.Request, header http.Header, d decision) {
	setPlaceholders(r, d.id)
	if d.id == nil {
		metrics.requests.WithLabelValues(outcomeAnonymous).Inc()
		return
	}
	g.headers.set(header, d.id, d.assertion)
	metrics.requests.WithLabelValues(outcomeAdmitted).Inc()
}

// forget takes identity and token out of a request that goes to Caddy's error
// routes. They get this very header map, and must not forward either to an error
// service (CVE-2026-41181), not even where the upstream may have the token.
func (g *guard) forget(r *http.Request) {
	g.headers.strip(r)
	_, _ = credentials{source: g.credentials.source}.take(r) // two tokens are taken out as well
}
