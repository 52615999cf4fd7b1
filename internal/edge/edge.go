// Package edge is the border of the gateway: it reads the requests of clients, removes
// from them what only the gateway may send to an upstream, and writes the identity of
// the caller. It knows net/http and no server.
package edge

import (
	"net/http"

	"github.com/wxgate/wxgate/internal/auth"
)

// Edge is how one site reads requests. It is safe for concurrent use.
type Edge struct {
	Headers     *Headers
	Credentials Credentials

	// ComparesPaths is for a site that treats some path unlike another. Only then does
	// it matter that the upstream reads the path as the gateway does.
	ComparesPaths bool

	// FoldsPaths is for a site with a [LenientSet]: see [Path].
	FoldsPaths bool

	// Prefix is where the login API is, without a slash at its end; empty if the site
	// has none.
	Prefix string

	// Asks is for a request that asks about another and goes nowhere: nothing that
	// moves its path is removed.
	Asks bool

	// Trusted reports whether a request comes from a trusted proxy.
	Trusted func(r *http.Request) bool
}

// Received is what a client sent.
type Received struct {
	Token    string // "" for none
	TokenErr error  // why the token cannot be read: there are two of them
	Path     Path
	PathErr  error // why the gateway cannot decide on the path
	Spoofed  int   // how many headers were removed that no honest client sends
}

// Receive cleans a request and reads it. It removes first and refuses later, so that no
// response and no error route gets an identity that a client wrote.
func (e *Edge) Receive(r *http.Request) (Received, error) {
	in := Received{Spoofed: e.Headers.Strip(r)}
	in.Token, in.TokenErr = e.Credentials.Take(r)
	if p := refuseTunnels(r); p != nil {
		return in, p
	}
	if e.ComparesPaths && !e.Asks {
		dropPathOverrides(r, e.Trusted(r))
	}
	in.Path, in.PathErr = e.path(r)
	if in.PathErr == nil && belongsToAPI(r, e.Prefix) {
		in.PathErr = errNoSuchCall
	}
	return in, nil
}

// Send writes an identity, and its assertion unless that is empty, into the headers for
// the upstream. Receive has removed all others.
func (e *Edge) Send(header http.Header, id *auth.Identity, assertion string) {
	e.Headers.Set(header, id, assertion)
}

// Forget removes identity and token from a request that goes to error routes. They get
// this very header map, and must not forward either to an error service
// (CVE-2026-41181), not even if the upstream may have the token.
func (e *Edge) Forget(r *http.Request) {
	e.Headers.Strip(r)
	c := e.Credentials
	c.forward = false
	_, _ = c.Take(r) // two tokens are removed as well
}
