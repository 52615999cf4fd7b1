// Package browsers has the attacks on gateways whose users have browser sessions: on the
// session cookie, by pages of other sites, and on the calls that log a browser in.
package browsers

import (
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

// The mechanisms, each with the public advisories that it comes from.
var (
	cookieMechanism = &corpus.Mechanism{Name: "cookie", Title: "Session cookies", Advisories: []string{"RFC 6265 section 8.6", "RFC 6265 section 5.4"}}
	csrfMechanism   = &corpus.Mechanism{Name: "csrf", Title: "Requests of other sites' pages", Advisories: []string{"RFC 6265 section 8.2", "CVE-2025-24358", "CVE-2025-47910"}}
	callsMechanism  = &corpus.Mechanism{Name: "calls", Title: "The login of browsers", Advisories: []string{"RFC 9700 section 4.7", "RFC 6749 section 10.12"}}
	returnMechanism = &corpus.Mechanism{Name: "return", Title: "Open redirect after a login", Advisories: []string{"CVE-2020-5233", "CVE-2020-11053", "CVE-2024-21497"}}
	every           = []*corpus.Mechanism{cookieMechanism, csrfMechanism, callsMechanism, returnMechanism}
	h1Only          = []wire.Protocol{wire.H1}
	multiplexed     = []wire.Protocol{wire.H2, wire.H3}
)

// evil is the host of the attacker's pages.
const evil = "evil.example"

// Mechanisms returns the mechanisms, in the order of [Attacks].
func Mechanisms() []*corpus.Mechanism { return slices.Clone(every) }

// Attacks returns the attacks on a target that has a session cookie, sorted by mechanism and
// name.
func Attacks(t *corpus.Target) []corpus.Attack {
	return corpus.Sorted(slices.Concat(
		severalAttacks(t), nameAttacks(t), valueAttacks(t), exposureAttacks(t), confusionAttacks(t),
		originAttacks(t), methodAttacks(t), handshakeAttacks(t), hostAttacks(t), logoutAttacks(t),
		pathAttacks(t), visitAttacks(t), responseAttacks(t), returnAttacks(t), navigationAttacks(t),
	), every)
}

// adder returns a function that makes attacks of one mechanism.
func adder(m *corpus.Mechanism, into *[]corpus.Attack) func(id string, r wire.Request, judge func(*corpus.Evidence) string, needs ...corpus.Control) *corpus.Attack {
	return func(id string, r wire.Request, judge func(*corpus.Evidence) string, needs ...corpus.Control) *corpus.Attack {
		a := corpus.Attack{ID: m.Name + "/" + id, Mechanism: m, Needs: append([]corpus.Control{corpus.Admitted}, needs...), Request: r, Judge: judge}
		if r.Raw != "" {
			a.Protocols = h1Only
		}
		*into = append(*into, a)
		return &(*into)[len(*into)-1]
	}
}

func field(name, value string) wire.Field { return wire.Field{Name: name, Value: value} }

var (
	session = field("Cookie", "{cookie}")
	site    = field("Origin", "{origin}")
)

// get returns a request without a credential, and with these headers.
func get(path string, header ...wire.Field) wire.Request {
	return wire.Request{Path: path, Header: header}
}

// send returns a request with a method, the session cookie and more headers, but no Origin.
func send(method, path string, header ...wire.Field) wire.Request {
	return wire.Request{Method: method, Path: path, Header: append([]wire.Field{session}, header...)}
}

// raw returns a request with these header lines, byte by byte.
func raw(method, target string, lines ...string) wire.Request {
	return wire.Request{Raw: method + " " + target + " HTTP/1.1\r\nHost: {host}\r\nX-Attack: {marker}\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"}
}

// handshake has the headers of a WebSocket handshake over HTTP/1.1.
var handshake = []wire.Field{
	field("Connection", "Upgrade"), field("Upgrade", "websocket"),
	field("Sec-WebSocket-Version", "13"), field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
}

// The calls of browsers, below a target's Browsers.
func login(t *corpus.Target, back string) string { return t.Browsers + "/login?return=" + back }
func enter(t *corpus.Target, back string) string {
	return t.Browsers + "/enter?ticket={ticket}&return=" + back
}

// TicketRequest returns the request of a mini program for a ticket.
func TicketRequest(t *corpus.Target, token string) *wire.Request {
	return &wire.Request{Method: "POST", Path: t.Browsers + "/ticket", Header: []wire.Field{field("Authorization", "Bearer "+token)}}
}
