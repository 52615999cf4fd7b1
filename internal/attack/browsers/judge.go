package browsers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/upstream"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

// Each judge returns why an attack succeeded, or "".

// served: the request reached the upstream.
func served(e *corpus.Evidence) string {
	if len(e.Seen) > 0 {
		return fmt.Sprintf("the upstream got %s %s as %q", e.Seen[0].Method, e.Seen[0].Target, e.Seen[0].First(e.Target.Identity))
	}
	return ""
}

// servedAsUser: the request reached the upstream with the user's identity, on a route that also
// serves requests without a user.
func servedAsUser(e *corpus.Evidence) string {
	if len(e.Seen) > 0 && e.Seen[0].First(e.Target.Identity) != "" {
		return served(e)
	}
	return ""
}

// servedOrOK is like served, for a method whose response might contain the cookie.
func servedOrOK(e *corpus.Evidence) string {
	if e.Response != nil && e.Response.Status == http.StatusOK && e.Response.Body != "" {
		return "the gateway returned " + status(e)
	}
	return served(e)
}

// tunnelled: the request opened a tunnel. A gateway that does not read it as a handshake may
// serve it as a GET.
func tunnelled(e *corpus.Evidence) string {
	for _, s := range e.Seen {
		if upgrade := strings.Join(s.All("Upgrade"), ""); upgrade != "" {
			return "the upstream got Upgrade: " + upgrade
		}
	}
	return ""
}

func impersonated(e *corpus.Evidence) string {
	for _, s := range e.Seen {
		if values := s.All(e.Target.Identity); len(values) > 1 || slices.Contains(values, corpus.Victim) {
			return fmt.Sprintf("the upstream got %s: %q", e.Target.Identity, values)
		}
	}
	return ""
}

// exposesGatewayCookies: the upstream got a cookie of the gateway's. [corpus.Exposed] looks for
// the session cookie in each attack.
func exposesGatewayCookies(e *corpus.Evidence) string {
	name, _ := e.Target.SessionCookie()
	for _, s := range e.Seen {
		for _, line := range s.All("Cookie") {
			if strings.Contains(line, name) {
				return fmt.Sprintf("the upstream got a cookie of the gateway's: %s", name)
			}
		}
	}
	return ""
}

// grants: a token was issued, or the session ended.
func grants(e *corpus.Evidence) string {
	if e.Response != nil && e.Response.Status == http.StatusOK && strings.Contains(e.Response.Body, "access_token") {
		return "the session cookie was exchanged for an access token"
	}
	return endsSession(e)
}

func grantsTicket(e *corpus.Evidence) string {
	if e.Response != nil && e.Response.Status == http.StatusOK && strings.Contains(e.Response.Body, `"ticket"`) {
		return "a ticket was issued"
	}
	return ""
}

// endsSession: the honest user is no longer admitted.
func endsSession(e *corpus.Evidence) string {
	if e.After == nil || e.After.Status != http.StatusOK {
		return fmt.Sprintf("the user's session ended: %s, then status %d", status(e), statusOf(e.After))
	}
	return ""
}

func statusOf(r *wire.Response) int {
	if r == nil {
		return 0
	}
	return r.Status
}

// logsIn: a session began.
func logsIn(e *corpus.Evidence) string {
	name, _ := e.Target.SessionCookie()
	if value, ok := setCookies(e.Response)[name]; ok && value != "" {
		return "a session began, although it must not"
	}
	return ""
}

// spent: a ticket was spent, so that an honest request with it fails.
func spent(e *corpus.Evidence) string {
	if why := logsIn(e); why != "" {
		return why
	}
	if statusOf(e.After) != http.StatusSeeOther && statusOf(e.After) != http.StatusFound {
		return fmt.Sprintf("the ticket was spent: %s, then status %d", status(e), statusOf(e.After))
	}
	return ""
}

func spentOrServed(e *corpus.Evidence) string {
	if why := served(e); why != "" {
		return why
	}
	return spent(e)
}

// servedCall: a path that some servers read as the path of a call reached the upstream.
func servedCall(e *corpus.Evidence) string {
	for _, s := range e.Seen {
		if upstream.Reaches(s.Target, e.Target.Browsers+"/") || strings.Contains(s.Target, "code=") {
			return served(e)
		}
	}
	return ""
}

func loginBegins(e *corpus.Evidence) bool {
	return e.Response != nil && (e.Response.Status == http.StatusSeeOther || e.Response.Status == http.StatusFound || e.Response.Status == http.StatusOK)
}

// cacheable: a cache may store a response with a credential.
func cacheable(e *corpus.Evidence) string {
	if e.Response == nil || e.Response.Status >= http.StatusBadRequest || strings.Contains(e.Response.Get("Cache-Control"), "no-store") {
		return ""
	}
	return fmt.Sprintf("the response may be cached: Cache-Control is %q", e.Response.Get("Cache-Control"))
}

// refers: the next page learns the URL with the ticket.
func refers(e *corpus.Evidence) string {
	if e.Response == nil || e.Response.Get("Referrer-Policy") == "no-referrer" {
		return ""
	}
	return fmt.Sprintf("the next page gets the URL: Referrer-Policy is %q", e.Response.Get("Referrer-Policy"))
}

// framed: another site's page may show this page in a frame, and make the user click in it.
func framed(e *corpus.Evidence) string {
	if e.Response == nil || !strings.Contains(e.Response.Get("Content-Type"), "html") {
		return ""
	}
	if policy := e.Response.Get("Content-Security-Policy"); strings.Contains(policy, "frame-ancestors 'none'") && strings.EqualFold(e.Response.Get("X-Frame-Options"), "DENY") {
		return ""
	}
	return "another page may show this one in a frame"
}

// weakCookie: a cookie that scripts, other hosts or requests of other sites can use.
func weakCookie(e *corpus.Evidence) string {
	if e.Response == nil {
		return ""
	}
	for _, f := range e.Response.Header {
		if !strings.EqualFold(f.Name, "Set-Cookie") {
			continue
		}
		name, _, _ := strings.Cut(f.Value, "=")
		flags := strings.ToLower(f.Value)
		missing := func(flag string) bool { return !strings.Contains(flags, flag) }
		secure := strings.HasPrefix(e.Target.Origin, "https://")
		switch {
		case missing("; httponly"), missing("; path=/"), missing("; samesite=lax") && missing("; samesite=strict"), !missing("; domain="), secure && missing("; secure"):
			return "a cookie is too open: " + name
		case secure && !strings.HasPrefix(name, "__Host-"):
			return "other hosts of the domain can set " + name
		}
	}
	return ""
}

// setCookies returns the cookies that a response sets.
func setCookies(r *wire.Response) map[string]string {
	out := map[string]string{}
	if r == nil {
		return out
	}
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, "Set-Cookie") {
			pair, _, _ := strings.Cut(f.Value, ";")
			name, value, _ := strings.Cut(pair, "=")
			out[name] = value
		}
	}
	return out
}

// leavesSite: the browser is sent to another site, or gets a header of the attacker's.
func leavesSite(e *corpus.Evidence) string {
	if e.Response == nil {
		return ""
	}
	for _, f := range e.Response.Header {
		switch strings.ToLower(f.Name) {
		case "location":
			if !onSite(e.Target.Origin, f.Value) {
				return fmt.Sprintf("the browser is sent to %q", f.Value)
			}
		case "refresh", injectedHeader:
			return fmt.Sprintf("the response has %s: %s", f.Name, f.Value)
		}
	}
	return ""
}

// asksFor returns the judge of a login with the return text: if the login begins, it returns
// there later.
func asksFor(text string) func(*corpus.Evidence) string {
	return func(e *corpus.Evidence) string {
		if !loginBegins(e) || onSite(e.Target.Origin, strings.NewReplacer("{origin}", e.Target.Origin, "{host}", strings.TrimPrefix(strings.TrimPrefix(e.Target.Origin, "https://"), "http://")).Replace(text)) {
			return ""
		}
		return fmt.Sprintf("the login begins (%s) and returns to %q", status(e), text)
	}
}

// mentionsEvil: the login names the attacker's host, to which the provider would return.
func mentionsEvil(e *corpus.Evidence) string {
	if e.Response != nil && strings.Contains(e.Response.Get("Location")+e.Response.Body, evil) {
		return "the login names the attacker's host: " + e.Response.Get("Location")
	}
	return ""
}

// leavesSiteLater: a visit is sent to a login of another site, or to a login that returns to
// another site.
func leavesSiteLater(e *corpus.Evidence) string {
	if why := leavesSite(e); why != "" {
		return why
	}
	u, err := url.Parse(e.Response.Get("Location"))
	if err != nil {
		return "the browser is sent to an invalid URL"
	}
	for name, values := range u.Query() {
		if name == "return" && (len(values) > 1 || !onSite(e.Target.Origin, values[0])) {
			return fmt.Sprintf("after the login, the browser is sent to %q", values)
		}
	}
	return ""
}

// allowsCookies: another site's scripts may send requests with cookies, and read the
// responses.
func allowsCookies(e *corpus.Evidence) string {
	if e.Response != nil && e.Response.Get("Access-Control-Allow-Credentials") != "" {
		return "Access-Control-Allow-Credentials is " + e.Response.Get("Access-Control-Allow-Credentials")
	}
	return served(e)
}
