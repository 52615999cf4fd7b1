package corpus

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/upstream"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

// Each judge returns why an attack succeeded, or "".

// impersonated: the upstream got an identity that the client sent.
func impersonated(e *Evidence) string {
	for _, s := range e.Seen {
		for _, line := range slices.Concat(s.Lines, s.Trailer) {
			// Some servers end a line at a lone CR, and some accept a colon at its beginning.
			for part := range strings.SplitSeq(line, "\r") {
				name, value, _ := strings.Cut(strings.TrimLeft(part, " \t:"), ":")
				if strings.Contains(value, Victim) && e.Target.readsAsIdentity(name) {
					return fmt.Sprintf("the upstream got %q", line)
				}
			}
		}
		if n := len(s.All(e.Target.Identity)); n > 1 {
			return fmt.Sprintf("the upstream got %d headers %s", n, e.Target.Identity)
		}
	}
	return ""
}

// vanished: the upstream got the request without headers that an honest request has.
func vanished(e *Evidence) string {
	for _, s := range e.Seen {
		for _, line := range e.Admitted.Lines {
			name, _, _ := strings.Cut(line, ":")
			forwarded := strings.HasPrefix(upstream.Bare(name), "xforwarded")
			if (e.Target.readsAsIdentity(name) || forwarded) && s.First(name) == "" {
				return fmt.Sprintf("the upstream got no %s", name)
			}
		}
	}
	return ""
}

// tunnelled: the upstream was asked to switch to another protocol than WebSocket, or got a
// header that is for such a protocol.
func tunnelled(e *Evidence) string {
	for _, s := range e.Seen {
		for _, value := range s.All("Upgrade") {
			if !strings.EqualFold(value, "websocket") {
				return fmt.Sprintf("the upstream got Upgrade: %s, and accepted it", value)
			}
		}
		if len(s.All("Upgrade")) > 1 {
			return "the upstream got two Upgrade headers"
		}
		if s.First("HTTP2-Settings") != "" {
			return "the upstream got HTTP2-Settings"
		}
	}
	if e.Response != nil && e.Response.Status == http.StatusSwitchingProtocols && !strings.EqualFold(e.Response.Get("Upgrade"), "websocket") {
		return "the gateway accepted Upgrade: " + e.Response.Get("Upgrade")
	}
	return ""
}

// served: the request reached the upstream.
func served(e *Evidence) string {
	if len(e.Seen) > 0 {
		return fmt.Sprintf("the upstream got %s %s", e.Seen[0].Method, e.Seen[0].Target)
	}
	return ""
}

// servedOrOK is like served, for methods that a gateway might respond to itself.
func servedOrOK(e *Evidence) string {
	if why := served(e); why != "" {
		return why
	}
	// A server without a route for the request returns 200 and an empty body.
	if e.Response != nil && e.Response.Status == http.StatusOK && e.Response.Body != "" {
		return "the gateway returned " + e.status()
	}
	return ""
}

// believed: the gateway accepted an invalid token, or fetched the attacker's keys.
func believed(e *Evidence) string {
	if e.Fetched {
		return "the gateway fetched keys from a URL in the token"
	}
	if len(e.Seen) > 0 {
		return fmt.Sprintf("admitted as %q", e.Seen[0].First(e.Target.Identity))
	}
	return ""
}

// loggedIn: a login succeeded that must fail.
func loggedIn(e *Evidence) string {
	if e.Response != nil && e.Response.Status == http.StatusOK && strings.Contains(e.Response.Body, "access_token") {
		return "the login returned a token"
	}
	return ""
}

// leaked: an error route got headers that are for the upstream only.
func leaked(e *Evidence) string {
	if why := impersonated(e); why != "" {
		return why
	}
	for _, s := range e.Seen {
		for _, line := range s.Lines {
			name, _, _ := strings.Cut(line, ":")
			if e.Target.readsAsIdentity(name) || strings.EqualFold(name, "Authorization") {
				return "the error route's upstream got " + name
			}
		}
	}
	return ""
}

// outside: an anonymous request reached the upstream with a path that some server reads as
// outside the prefix.
func outside(prefix func(*Target) string) func(*Evidence) string {
	return func(e *Evidence) string {
		for _, s := range e.Seen {
			if upstream.Escapes(s.Target, prefix(e.Target)) {
				return fmt.Sprintf("the upstream got %s %s without a token", s.Method, s.Target)
			}
			for _, name := range pathOverrides {
				if v := s.First(name); v != "" && upstream.Escapes(v, prefix(e.Target)) {
					return fmt.Sprintf("the upstream got %s: %s without a token, which some frameworks serve instead", name, v)
				}
			}
			if name, routed := behindPrefix(s); routed != "" && upstream.Escapes(routed, prefix(e.Target)) {
				return fmt.Sprintf("the upstream got %s with %s without a token, which prefix middleware serves as %s", s.Target, name, routed)
			}
		}
		return ""
	}
}

// inside: a request reached the upstream with a path that some server reads as below the
// prefix that requires more.
func inside(e *Evidence) string {
	for _, s := range e.Seen {
		if upstream.Reaches(s.Target, e.Target.Phone) {
			return fmt.Sprintf("the upstream got %s from a user without a phone number", s.Target)
		}
		if name, routed := behindPrefix(s); routed != "" && upstream.Reaches(routed, e.Target.Phone) {
			return fmt.Sprintf("the upstream got %s with %s, which prefix middleware serves as %s", s.Target, name, routed)
		}
		for _, name := range pathOverrides {
			if v := s.First(name); v != "" && upstream.Reaches(v, e.Target.Phone) {
				return fmt.Sprintf("the upstream got %s: %s, which some frameworks serve instead", name, v)
			}
		}
	}
	return ""
}

// prefixHeaders name a prefix that middleware removes from a path: common WSGI middleware
// reads SCRIPT_NAME from X-Script-Name.
var prefixHeaders = []string{"X-Script-Name", "X-Forwarded-Prefix"}

// behindPrefix returns the path that prefix middleware serves, and the header with the
// prefix; "" if there is none.
func behindPrefix(s *wire.Seen) (name, routed string) {
	for _, name := range prefixHeaders {
		if rest, ok := strings.CutPrefix(s.Target, s.First(name)); ok && s.First(name) != "" {
			return name, rest
		}
	}
	return "", ""
}
