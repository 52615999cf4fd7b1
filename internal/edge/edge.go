// Package edge is the border of the gateway: it reads the requests of clients, removes the
// headers that only the gateway may send to an upstream, and writes the identity of the caller.
// It depends on net/http only, not on a server.
package edge

import (
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

// Edge configures how one site reads requests. It is safe for concurrent use.
type Edge struct {
	Headers     *Headers
	Credentials Credentials

	// ComparesPaths is for a site that treats some paths differently. Only then must the
	// upstream read the path in the same way as the gateway.
	ComparesPaths bool

	// FoldsPaths is for a site with a [LenientSet]: see [Path].
	FoldsPaths bool

	// Prefix is the path of the login API, without a trailing slash; empty if the site has
	// none.
	Prefix string

	// Asks is for a request that asks about another request and is not forwarded: headers that
	// override its path are not removed.
	Asks bool

	// Trusted reports whether a request comes from a trusted proxy.
	Trusted func(r *http.Request) bool
}

// Received is the result of [Edge.Receive].
type Received struct {
	Token    string // "" for none
	TokenErr error  // why the token cannot be read: there are two tokens
	Path     Path
	PathErr  error // why the gateway cannot decide on the path
	Spoofed  int   // the number of removed headers, which no honest client sends
}

// Receive removes identity headers from a request and reads it. It removes them before it
// refuses the request, so that no response and no error route gets an identity that a client
// wrote.
func (e *Edge) Receive(r *http.Request) (Received, error) {
	in := Received{Spoofed: e.Headers.Strip(r, e.Headers.passesAny() && e.Trusted(r))}
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

// Send writes the identity of a request, and its assertion unless it is empty, into the headers
// for the upstream. Receive has removed all others.
func (e *Edge) Send(r *http.Request, header http.Header, id *auth.Identity, assertion string) {
	e.Headers.Set(header, id, assertion)
	e.Headers.setAppVersion(header, r, id.App)
}

// Forget removes identity and token from a request that goes to error routes. They get the same
// header map, and must not forward them to an error service (CVE-2026-41181), not even if the
// upstream may have the token.
func (e *Edge) Forget(r *http.Request) {
	e.Headers.Strip(r, false)
	c := e.Credentials
	c.forward = false
	_, _ = c.Take(r) // also removes two tokens
}

// refuseTunnels refuses requests that turn the connection into a tunnel, whose content no rule
// can check. Only WebSocket passes. Over h2c, an upstream that responds with 101 would accept
// further requests with any header, such as "x-wx-openid: victim" (CVE-2026-88008). CONNECT
// opens a tunnel as well, except the extended CONNECT of WebSocket over HTTP/2 and HTTP/3 (RFC
// 8441, RFC 9220). TRACE returns the credentials.
func refuseTunnels(r *http.Request) *problem.Problem {
	switch r.Method {
	case http.MethodTrace:
		return problem.MethodNotAllowed("TRACE is not supported.")
	case http.MethodConnect:
		if !extendedConnect(r) {
			return problem.MethodNotAllowed("CONNECT is only supported for WebSocket over HTTP/2 and HTTP/3.")
		}
	}
	upgrades, ok := r.Header["Upgrade"]
	if ok && (len(upgrades) != 1 || !strings.EqualFold(strings.TrimSpace(upgrades[0]), "websocket")) {
		return problem.BadRequest("The only supported upgrade is websocket.")
	}
	delete(r.Header, "Http2-Settings") // only for an h2c upgrade
	return nil
}

// extendedConnect reports whether a CONNECT is for WebSocket. net/http has no field for the
// :protocol pseudo-header (https://github.com/golang/go/issues/53208), so HTTP/2 and quic-go
// put it in different places.
func extendedConnect(r *http.Request) bool {
	switch r.ProtoMajor {
	case 2:
		return r.Header.Get(":protocol") == "websocket"
	case 3:
		return r.Proto == "websocket"
	default:
		return false
	}
}

// TooEarly reports whether a request came in TLS early data, which an attacker on the network
// can replay (RFC 8470): a login or a refresh must not be replayed. Any value of Early-Data
// counts as 1 (section 5.1): a client that sends 0 could otherwise hide the header of a proxy.
func TooEarly(r *http.Request) bool {
	return r.TLS != nil && !r.TLS.HandshakeComplete || r.Header["Early-Data"] != nil
}

// IsPreflight reports whether a request is a CORS preflight (Fetch section 3.2.2), and
// not another OPTIONS without a token.
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}
