package gateway

import (
	"net/http"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/writer"
)

// watched calls next, and ends its response when the session of the identity ends: a stream at
// once, any other response after stream_grace, or one access-token lifetime after its token
// expired.
func (g *Gateway) watched(d decision, w http.ResponseWriter, r *http.Request, next Next) error {
	rw := writer.Watch(w, r, d.id, g.Edge.Redactor(d.id), writer.Rules{
		Revocations: d.runtime.Revocations,
		Stale:       d.runtime.Stale,
		Allowance:   g.Allowance,
		Access:      g.config.Access,
		Grace:       g.config.Grace,
	})
	defer rw.Release()
	err := next.ServeHTTP(rw, r.WithContext(rw.Context()))
	if !rw.Release() || rw.Tunnel() {
		return err
	}
	if rw.Started() {
		// The client must not mistake the partial response for the whole response.
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http aborts a response in this way
	}
	return g.refuse(w, r, d.id, g.whyEnded(d))
}

// whyEnded is the refusal of a request whose session ended before the response
// started.
func (g *Gateway) whyEnded(d decision) error {
	if d.runtime.Revocations.Revoked(d.id) {
		if d.runtime.Revocations.Replaced(d.id.Session) {
			return auth.ErrSessionReplaced
		}
		return auth.ErrSessionRevoked
	}
	if err := g.fresh(d.runtime); err != nil {
		return err
	}
	return auth.ErrTokenExpired
}
