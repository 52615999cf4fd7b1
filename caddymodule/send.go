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
	g.edge.Headers.Set(header, d.id, d.assertion)
	metrics.requests.WithLabelValues(outcomeAdmitted).Inc()
}
