package gateway

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/gateway/browser"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/web"
)

// addBrowser adds the calls of browsers.
func (g *Gateway) addBrowser() {
	if g.Browser == nil {
		return
	}
	for _, route := range g.Browser.Routes() {
		g.endpoints[route.Path] = endpoint{name: route.Name, method: route.Method, also: route.Also, page: route.Page, serve: serveBrowser(route.Serve)}
	}
}

// loginApps returns the apps whose users log in with the login API. Apps that sign users in on
// pages are excluded: otherwise their codes could begin a session with tokens.
func loginApps(g *Guard) map[auth.AppID]struct{} {
	apps := maps.Clone(g.Admitted)
	if g.Browser != nil {
		for _, app := range g.Browser.PageApps() {
			delete(apps, app)
		}
	}
	return apps
}

// endpoint returns the call at a path. The calls of a scan are at paths below it.
func (g *Gateway) endpoint(path string) (endpoint, bool) {
	if e, ok := g.endpoints[path]; ok {
		return e, true
	}
	e, ok := g.endpoints[g.Browser.Folder(path)]
	return e, ok
}

// serveBrowser serves a call of a browser.
func serveBrowser(serve func(*browser.Site, *browser.Call) error) func(*Gateway, *call) error {
	return func(g *Gateway, c *call) error { return serve(g.Browser, g.browserCall(c)) }
}

// browserCall returns the Call for a request of a browser.
func (g *Gateway) browserCall(c *call) *browser.Call {
	rt := c.runtime
	if rt == nil { // the call is refused before it needs the runtime, and the error is shown
		rt = new(Runtime)
	}
	return &browser.Call{
		W: c.w, R: c.r, Web: rt.Web, Apps: rt.Platforms, Cookies: c.bearer.cookies, Address: g.Server.ClientIP(c.r),
		Host: browser.Host{
			Bearer:     func() (*auth.Identity, error) { return g.bearerOnly(c) },
			Admits:     g.admits,
			Present:    func() (*auth.Identity, error) { return g.present(c) },
			AdmitLogin: func() (leave func(), err error) { return g.admit(c, g.config.Limits.AdmitLogin) },
			AdmitScan:  func() (leave func(), err error) { return g.admit(c, g.config.Limits.AdmitScan) },
			AdmitTicket: func(user auth.User) error {
				return g.config.Limits.AdmitTicket(c.r.Context(), rt.Take, user)
			},
			Began: func(app auth.AppID, door auth.Door, opened *web.Opened, err error) {
				g.began(c, app, door, opened, err)
			},
			End:       func(id *auth.Identity) error { return g.end(c, id, false) },
			OfApp:     rt.OfApp,
			Respond:   c.respond,
			Leaving:   func() bool { return g.Server.ShuttingDown(c.r) },
			Expand:    func(text string) string { return g.Server.Expand(c.r, text) },
			RequestID: g.Server.RequestID(c.r),
		},
	}
}

// bearerOnly is like identity, for a call that only mini programs make.
func (g *Gateway) bearerOnly(c *call) (*auth.Identity, error) {
	if !c.bearer.sent() {
		return nil, auth.ErrMissingToken
	}
	return g.identity(c)
}

// present returns the identity of the session cookie, or nil if it is not valid on this site.
// It returns an error only if the store is unavailable.
func (g *Gateway) present(c *call) (*auth.Identity, error) {
	if c.bearer.cookies.Session == "" || c.bearer.cookies.Err != nil {
		return nil, nil //nolint:nilerr,nilnil // it is not valid
	}
	id, err := c.runtime.Web.Authenticate(c.r.Context(), c.bearer.cookies.Session)
	if err == nil {
		err = g.enters(c.runtime, id)
	}
	switch {
	case err == nil:
		return id, nil
	case errors.Is(err, auth.ErrStoreUnavailable):
		return nil, err
	}
	return nil, nil //nolint:nilnil // it is not valid
}

// began records a login of a browser.
func (g *Gateway) began(c *call, app auth.AppID, door auth.Door, opened *web.Opened, err error) {
	metrics.ObserveLogin(app, err)
	act := audit.Event{Action: audit.Login, App: app, Door: door.String()}
	if err != nil {
		g.record(c, act, nil, err)
		return
	}
	id := opened.Identity()
	g.record(c, act, id, nil)
	c.runtime.RecordEnded(&auth.Grant{Identity: *id, Ended: opened.Ended})
}

// showProblem shows an error to the user of a browser.
func (g *Gateway) showProblem(c *call, p *problem.Problem) error {
	g.Server.LogCode(c.r, p.Code)
	return g.Browser.ShowProblem(g.browserCall(c), p)
}

// authenticateBrowser is like authenticate, for a session cookie.
func (g *Guard) authenticateBrowser(ctx context.Context, rt *Runtime, b bearer) (*auth.Identity, error) {
	if b.sent() { // the upstream could use the other credential
		return nil, edge.ErrTwoTokens
	}
	if err := cmp.Or(b.cookies.Err, b.origin); err != nil {
		return nil, err
	}
	id, err := rt.Web.Authenticate(ctx, b.cookies.Session)
	if err != nil {
		return nil, err
	}
	return id, g.enters(rt, id)
}

// endedErrors are the errors of a session cookie that is no longer valid.
var endedErrors = []error{auth.ErrInvalidToken, auth.ErrTokenExpired, auth.ErrSessionRevoked, auth.ErrSessionReplaced}

// passesWithout reports whether a request passes as anonymous although its session cookie was
// refused: on an optional path, since a browser cannot leave the cookie out.
func (g *Guard) passesWithout(in received, err error) bool {
	if !in.bearer.cookies.Sent() || g.requires(in.Path) || !g.Optional.Match(in.Path.Plain) {
		return false
	}
	for _, ended := range endedErrors {
		if errors.Is(err, ended) {
			return true
		}
	}
	return false
}

// needsLogin reports whether a user who opens a page must log in first.
func (g *Gateway) needsLogin(r *http.Request, in received, err error) bool {
	return err != nil && g.Browser != nil && !in.bearer.sent() && browser.Navigates(r) && problem.Of(err).Status == http.StatusUnauthorized
}

// toLogin sends the browser of a refused request to the login.
func (g *Gateway) toLogin(w http.ResponseWriter, r *http.Request, err error) error {
	p := problem.Of(err)
	g.Server.SetIdentity(r, nil)
	metrics.Requests.WithLabelValues(p.Code).Inc()
	g.Server.LogCode(r, p.Code)
	return g.Browser.Redirect(w, g.Server.OriginalURI(r))
}
