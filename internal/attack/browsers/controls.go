package browsers

import (
	"fmt"
	"net/http"

	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

// The controls.
const (
	closed    corpus.Control = "without a cookie nothing comes through"
	unsafe    corpus.Control = "a page of the site may send a POST"
	opens     corpus.Control = "a page of the site may open a WebSocket"
	tunnels   corpus.Control = "a page of the site may open a WebSocket with an extended CONNECT"
	public    corpus.Control = "a public path needs no cookie, and gets other cookies"
	optional  corpus.Control = "an optional path needs no cookie, and gets other cookies"
	errorPath corpus.Control = "the error route of a failing proxy calls the echo"
	otherHost corpus.Control = "the site is served under another Host too"
	bearers   corpus.Control = "an access token is admitted without the cookie"
	refreshes corpus.Control = "a made-up refresh token is refused"
	enters    corpus.Control = "a ticket logs a browser in, and returns it to a path"
	asks      corpus.Control = "the login sends a browser to a door"
	navigates corpus.Control = "a page without a session is sent to the login"
	logsOut   corpus.Control = "a page of the site may log out"
)

// otherHostName is another name of the gateway: the name of a proxy's upstream, or a name that
// an attacker points to it (DNS rebinding).
const otherHostName = "other.localhost"

// returnPath is where the login of a control returns to.
const returnPath = "/guarded-page?a=b"

// Controls returns the tests of all controls.
func Controls(t *corpus.Target) map[corpus.Control]corpus.Test {
	path := func(prefix string) string { return prefix + "browser-control" }
	other := field("Cookie", "theme=dark")
	return map[corpus.Control]corpus.Test{
		closed:    {Request: get(path(t.Guarded)), Check: isClosed},
		unsafe:    {Request: send("POST", path(t.Guarded), site), Check: comesThrough},
		opens:     {Request: get(path(t.Guarded), append([]wire.Field{session, site}, handshake...)...), Check: upgrades},
		tunnels:   {Request: wire.Request{Method: "CONNECT", Protocol: "websocket", Path: path(t.Guarded), Header: []wire.Field{session, site, field("Sec-WebSocket-Version", "13")}}, Check: upgrades},
		public:    {Request: get(path(t.Public), other), Check: keepsOthers(t.Public)},
		optional:  {Request: get(path(t.Optional), other), Check: keepsOthers(t.Optional)},
		errorPath: {Request: get(path(t.Broken), session, site), Check: needed(t.Broken)},
		otherHost: {Request: hostRequest("GET", path(t.Guarded)), Check: needed("another Host")},
		bearers:   {Request: get(path(t.Guarded), field("Authorization", "Bearer {token}")), Check: comesThrough},
		refreshes: {Request: refresh(t, "made-up"), Check: refuses(t.Refresh)},
		enters:    {Request: get(enter(t, returnPath)), Check: returnsTo(returnPath)},
		asks:      {Request: get(login(t, returnPath)), Check: asked},
		navigates: {Request: get(path(t.Guarded), navigation...), Check: toLogin},
		logsOut:   {Request: wire.Request{Method: "POST", Path: t.Browsers + "/logout", Header: []wire.Field{site}}, Check: refusedNothing},
	}
}

func comesThrough(e *corpus.Evidence) error {
	if len(e.Seen) != 1 {
		return fmt.Errorf("%d requests reached the upstream, and the client got %s", len(e.Seen), status(e))
	}
	return nil
}

func isClosed(e *corpus.Evidence) error {
	if len(e.Seen) > 0 || e.Response == nil || e.Response.Status != http.StatusUnauthorized && e.Response.Status != http.StatusForbidden {
		return fmt.Errorf("no 401 or 403, but %s", status(e))
	}
	return nil
}

func upgrades(e *corpus.Evidence) error {
	if len(e.Seen) != 1 || e.Seen[0].Upgrade != "websocket" {
		return fmt.Errorf("%w: the gateway passes no such WebSocket: %s", corpus.ErrNotApplicable, status(e))
	}
	return nil
}

// needed returns the check of a route that some gateways do not have.
func needed(what string) func(*corpus.Evidence) error {
	return func(e *corpus.Evidence) error {
		if len(e.Seen) == 0 {
			return fmt.Errorf("%w: nothing reaches the echo by %s: %s", corpus.ErrNotApplicable, what, status(e))
		}
		return nil
	}
}

// keepsOthers checks that the upstream's own cookies reach it.
func keepsOthers(prefix string) func(*corpus.Evidence) error {
	return func(e *corpus.Evidence) error {
		if err := needed(prefix)(e); err != nil {
			return err
		}
		if got := e.Seen[0].First("Cookie"); got != "theme=dark" {
			return fmt.Errorf("the upstream got Cookie: %q, not its own cookie", got)
		}
		return nil
	}
}

func refuses(path string) func(*corpus.Evidence) error {
	return func(e *corpus.Evidence) error {
		if e.Response == nil || e.Response.Status == http.StatusNotFound || e.Response.Status < http.StatusBadRequest {
			return fmt.Errorf("%w: nothing is refused at %s: %s", corpus.ErrNotApplicable, path, status(e))
		}
		return nil
	}
}

// returnsTo checks where the gateway sends the browser, on the site.
func returnsTo(path string) func(*corpus.Evidence) error {
	return func(e *corpus.Evidence) error {
		switch to := e.Response.Get("Location"); {
		case e.Response == nil:
			return fmt.Errorf("%s to a ticket", status(e))
		case e.Response.Status != http.StatusSeeOther && e.Response.Status != http.StatusFound:
			return fmt.Errorf("%w: tickets log no browser in: %s", corpus.ErrNotApplicable, status(e))
		case to != path && to != e.Target.Origin+path:
			return fmt.Errorf("a browser is returned to %q, not to %q", to, path)
		}
		return nil
	}
}

// asked checks that the login begins: with a redirect to a provider, or with a page.
func asked(e *corpus.Evidence) error {
	if !loginBegins(e) {
		return fmt.Errorf("%w: no login at %s: %s", corpus.ErrNotApplicable, e.Target.Browsers, status(e))
	}
	return nil
}

// toLogin checks that a visit of a page is redirected to the login.
func toLogin(e *corpus.Evidence) error {
	if e.Response == nil || e.Response.Status != http.StatusSeeOther && e.Response.Status != http.StatusFound || len(e.Seen) > 0 {
		return fmt.Errorf("%w: a visit without a session is not sent to a login: %s", corpus.ErrNotApplicable, status(e))
	}
	return nil
}

func refusedNothing(e *corpus.Evidence) error {
	if e.Response == nil || e.Response.Status >= http.StatusBadRequest {
		return fmt.Errorf("%w: no logout at %s: %s", corpus.ErrNotApplicable, e.Target.Browsers, status(e))
	}
	return nil
}

func status(e *corpus.Evidence) string {
	if e.Response == nil {
		return "no response"
	}
	return fmt.Sprintf("status %d", e.Response.Status)
}
