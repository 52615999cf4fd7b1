package edge

import (
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/problem"
)

// refuseTunnels refuses what would leave the rules of a request and a response.
//
// An upgrade turns the connection into a tunnel that no rule sees into. Only
// WebSocket passes: over h2c, an upstream that answers 101 would accept
// further requests with any header, "x-wx-openid: victim" among them
// (CVE-2026-88008). CONNECT asks for a tunnel outright, but for the extended
// CONNECT that WebSocket over HTTP/2 and HTTP/3 is (RFC 8441, RFC 9220); TRACE
// sends the credentials back.
func refuseTunnels(r *http.Request) *problem.Problem {
	switch r.Method {
	case http.MethodTrace:
		return problem.MethodNotAllowed("TRACE is not served.")
	case http.MethodConnect:
		if !extendedConnect(r) {
			return problem.MethodNotAllowed("CONNECT is not served, but for WebSocket over HTTP/2 and HTTP/3.")
		}
	}
	upgrades, ok := r.Header["Upgrade"]
	if ok && (len(upgrades) != 1 || !strings.EqualFold(strings.TrimSpace(upgrades[0]), "websocket")) {
		return problem.BadRequest("The only protocol to upgrade to is websocket.")
	}
	delete(r.Header, "Http2-Settings") // belongs to an h2c upgrade alone
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

// TooEarly reports whether a request came in TLS early data, which anyone on the
// way may send again (RFC 8470): a login or a refresh must not be replayed.
// Whatever Early-Data says, and how often, it says 1 (section 5.1): a client that
// sends 0 would otherwise hide what a proxy adds.
func TooEarly(r *http.Request) bool {
	return r.TLS != nil && !r.TLS.HandshakeComplete || r.Header["Early-Data"] != nil
}

// IsPreflight reports whether a request is a CORS preflight (Fetch section
// 3.2.2), and not just an OPTIONS that wants to be let in without a token.
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}
