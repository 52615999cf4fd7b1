package corpus

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

// aboutTokens is why an attack is not sent in a run with a cookie.
const aboutTokens = "it is about access tokens, and this run has a session cookie: run it with a token"

// tokenMechanisms are about the header Authorization, or about credentials that only its owner
// has.
var tokenMechanisms = []*Mechanism{tokenMechanism, severalMechanism, oracleMechanism}

// honest is the credential of an honest request. A run with a cookie replaces it.
var honest = bearer("{token}")

// Session returns the headers that an honest page of the site sends: the session cookie, and
// the page's origin, which a gateway may require.
func Session() []wire.Field {
	return []wire.Field{field("Cookie", "{cookie}"), field("Origin", "{origin}")}
}

// WithCookies returns the attacks with the target's session cookie instead of the access token.
// Attacks on tokens are included, with the reason why they are not sent.
func (t *Target) WithCookies(attacks []Attack) []Attack {
	if t.Cookie == "" {
		return attacks
	}
	for i := range attacks {
		a := &attacks[i]
		if slices.Contains(tokenMechanisms, a.Mechanism) || slices.Contains(a.Needs, refreshes) {
			a.Inapplicable = aboutTokens
			continue
		}
		a.Request, a.Before = t.withCookie(a.Request), t.allWithCookie(a.Before)
		if a.After != nil {
			after := t.withCookie(*a.After)
			a.After = &after
		}
	}
	return attacks
}

func (t *Target) allWithCookie(requests []wire.Request) []wire.Request {
	var out []wire.Request
	for _, r := range requests {
		out = append(out, t.withCookie(r))
	}
	return out
}

// withCookie replaces the access token of an honest request with the session cookie.
func (t *Target) withCookie(r wire.Request) wire.Request {
	if t.Cookie == "" {
		return r
	}
	var header []wire.Field
	for _, f := range r.Header {
		if !strings.EqualFold(f.Name, honest.Name) || f.Value != honest.Value {
			header = append(header, f)
			continue
		}
		for _, s := range Session() {
			if r.Verbatim {
				s.Name = strings.ToLower(s.Name)
			}
			header = append(header, s)
		}
	}
	r.Header = header
	r.Raw = strings.ReplaceAll(r.Raw, honest.Name+": "+honest.Value+"\r\n", "Cookie: {cookie}\r\nOrigin: {origin}\r\n")
	return r
}

// SessionCookie returns the name and the value of the session cookie.
func (t *Target) SessionCookie() (name, value string) {
	name, value, _ = strings.Cut(t.Cookie, "=")
	return name, value
}

// Exposed returns where the session cookie reached the upstream, which could then act as the
// user on any site; "" if it did not. It judges every attack of a run with a cookie.
func Exposed(e *Evidence) string {
	_, secret := e.Target.SessionCookie()
	if secret == "" {
		return ""
	}
	for _, s := range e.Seen {
		for _, line := range slices.Concat([]string{s.Target, s.Body}, s.Lines, s.Trailer) {
			if strings.Contains(line, secret) {
				return fmt.Sprintf("the upstream got the session cookie in %q", strings.ReplaceAll(line, secret, "…"))
			}
		}
	}
	return ""
}
