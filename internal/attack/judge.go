package attack

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// This file judges: each function says why an attack succeeded, or "".

// impersonated: the upstream got an identity that the client wrote.
func impersonated(e *Evidence) string {
	for _, s := range e.Seen {
		for _, line := range slices.Concat(s.Lines, s.Trailer) {
			// To some servers a lone CR ends a line, and to some a colon may begin one.
			for part := range strings.SplitSeq(line, "\r") {
				name, value, _ := strings.Cut(strings.TrimLeft(part, " \t:"), ":")
				if strings.Contains(value, victim) && e.Target.readsAsIdentity(name) {
					return fmt.Sprintf("the upstream got %q", line)
				}
			}
		}
		if n := len(s.all(e.Target.Identity)); n > 1 {
			return fmt.Sprintf("the upstream got %d headers %s", n, e.Target.Identity)
		}
	}
	return ""
}

// vanished: the request came through without what an honest one carries.
func vanished(e *Evidence) string {
	for _, s := range e.Seen {
		for _, line := range e.Admitted.Lines {
			name, _, _ := strings.Cut(line, ":")
			forwarded := strings.HasPrefix(bare(name), "xforwarded")
			if (e.Target.readsAsIdentity(name) || forwarded) && s.first(name) == "" {
				return fmt.Sprintf("the upstream got no %s", name)
			}
		}
	}
	return ""
}

// tunnelled: the upstream was asked to leave HTTP for something else than
// WebSocket, or got what only that is for.
func tunnelled(e *Evidence) string {
	for _, s := range e.Seen {
		for _, value := range s.all("Upgrade") {
			if !foldEqual(value, "websocket") {
				return fmt.Sprintf("the upstream got Upgrade: %s, and agreed", value)
			}
		}
		if len(s.all("Upgrade")) > 1 {
			return "the upstream got two Upgrade headers"
		}
		if s.first("HTTP2-Settings") != "" {
			return "the upstream got HTTP2-Settings"
		}
	}
	if e.Answer != nil && e.Answer.Status == http.StatusSwitchingProtocols && !foldEqual(e.Answer.Get("Upgrade"), "websocket") {
		return "the gateway agreed to Upgrade: " + e.Answer.Get("Upgrade")
	}
	return ""
}

// served: the request came through, or was answered as if it was right.
func served(e *Evidence) string {
	if len(e.Seen) > 0 {
		return fmt.Sprintf("the upstream got %s %s", e.Seen[0].Method, e.Seen[0].Target)
	}
	return ""
}

// servedOrOK is served for methods that a gateway might answer itself.
func servedOrOK(e *Evidence) string {
	if why := served(e); why != "" {
		return why
	}
	// A server without a route for the request answers 200 and nothing.
	if e.Answer != nil && e.Answer.Status == http.StatusOK && e.Answer.Body != "" {
		return "the gateway answered " + e.status()
	}
	return ""
}

// outside: an anonymous request came through to a path that some server reads as
// one outside the prefix.
func outside(prefix func(*Target) string) func(*Evidence) string {
	return func(e *Evidence) string {
		for _, s := range e.Seen {
			if escapes(s.Target, prefix(e.Target)) {
				return fmt.Sprintf("the upstream got %s %s from nobody", s.Method, s.Target)
			}
			for _, name := range pathOverrides {
				if v := s.first(name); v != "" && escapes(v, prefix(e.Target)) {
					return fmt.Sprintf("the upstream got %s: %s from nobody, which some frameworks serve instead", name, v)
				}
			}
			if name, routed := s.behindPrefix(); routed != "" && escapes(routed, prefix(e.Target)) {
				return fmt.Sprintf("the upstream got %s with %s from nobody, which prefix middleware serves as %s", s.Target, name, routed)
			}
		}
		return ""
	}
}

// inside: a request came through to a path that some server reads as one below
// the prefix that the caller must not enter.
func inside(e *Evidence) string {
	for _, s := range e.Seen {
		if reaches(s.Target, e.Target.Phone) {
			return fmt.Sprintf("the upstream got %s from a user without a phone number", s.Target)
		}
		if name, routed := s.behindPrefix(); routed != "" && reaches(routed, e.Target.Phone) {
			return fmt.Sprintf("the upstream got %s with %s, which prefix middleware serves as %s", s.Target, name, routed)
		}
		for _, name := range pathOverrides {
			if v := s.first(name); v != "" && reaches(v, e.Target.Phone) {
				return fmt.Sprintf("the upstream got %s: %s, which some frameworks serve instead", name, v)
			}
		}
	}
	return ""
}

// believed: a token that must not be was, or its author's keys were asked for.
func believed(e *Evidence) string {
	if e.Fetched {
		return "the gateway fetched keys from where the token said"
	}
	if len(e.Seen) > 0 {
		return fmt.Sprintf("admitted as %q", e.Seen[0].first(e.Target.Identity))
	}
	return ""
}

// loggedIn: a login that must fail did not.
func loggedIn(e *Evidence) string {
	if e.Answer != nil && e.Answer.Status == http.StatusOK && strings.Contains(e.Answer.Body, "access_token") {
		return "the login answered a token"
	}
	return ""
}

// leaked: an error route got what was the upstream's alone.
func leaked(e *Evidence) string {
	if why := impersonated(e); why != "" {
		return why
	}
	for _, s := range e.Seen {
		for _, line := range s.Lines {
			name, _, _ := strings.Cut(line, ":")
			if e.Target.readsAsIdentity(name) || foldEqual(name, "Authorization") {
				return "the error route's upstream got " + name
			}
		}
	}
	return ""
}
