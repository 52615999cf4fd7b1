package corpus

import (
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

// Mechanism is one way in which gateways were broken.
type Mechanism struct {
	Name       string
	Title      string
	Advisories []string // public advisories, of other gateways
}

// Attack is one request, or a few, and how to judge their effect.
type Attack struct {
	ID        string // unique; begins with the mechanism's name
	Mechanism *Mechanism
	// Advisories, if any, replace the mechanism's.
	Advisories []string
	Protocols  []wire.Protocol // nil for all
	Needs      []Control

	Before  []wire.Request // sent first, each over a new connection
	Request wire.Request
	After   *wire.Request // sent last, over HTTP/1.1
	// Forge makes the token that replaces {forged} in the request.
	Forge func(*Secrets) (string, error)
	// If LimitBlocks is set, a 429 blocks the attack. Otherwise the result is inconclusive.
	LimitBlocks bool
	// Inapplicable is why the attack is not sent with the target's credential; "" if it is.
	Inapplicable string
	// Judge returns why the attack succeeded; "" if it did not.
	Judge func(*Evidence) string
}

// Over reports whether the attack is sent over a protocol.
func (a *Attack) Over(p wire.Protocol) bool {
	return a.Protocols == nil || slices.Contains(a.Protocols, p)
}

// CVEs returns the advisories that the attack comes from.
func (a *Attack) CVEs() []string {
	if len(a.Advisories) > 0 {
		return a.Advisories
	}
	return a.Mechanism.Advisories
}

// Evidence is the result of an attack.
type Evidence struct {
	Target   *Target
	Protocol wire.Protocol
	// Sent is the attack's request over HTTP/1.1, with its placeholders replaced; "" over
	// another protocol.
	Sent string
	// Response is nil if the gateway closed the connection.
	Response *wire.Response
	// After is the response to the attack's After, if it has one.
	After *wire.Response
	// Seen are the requests of the attack that reached the upstream.
	Seen []*wire.Seen
	// Admitted is an honest request with the same credential as it reached the upstream.
	Admitted *wire.Seen
	// Fetched reports that keys were fetched from the attacker's URL.
	Fetched bool
}

// Mentions reports whether one of the attack's requests contains a text.
func (a *Attack) Mentions(word string) bool {
	for _, request := range append(slices.Clone(a.Before), a.Request) {
		if strings.Contains(request.Path+request.Body+request.Raw, word) ||
			slices.ContainsFunc(request.Header, func(f wire.Field) bool { return strings.Contains(f.Value, word) }) {
			return true
		}
	}
	return false
}

// Smuggles reports whether the attack sends a request inside another.
func (a *Attack) Smuggles() bool { return a.Mechanism == smuggleMechanism }
