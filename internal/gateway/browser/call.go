package browser

import (
	"net/http"
	"net/url"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/web"
	"github.com/wxgate/wxgate/internal/wechat"
)

// Call is one request to a call of the site, with the state that the gateway provides.
type Call struct {
	W       http.ResponseWriter
	R       *http.Request
	Web     *web.Service // nil for a call that is refused before it needs the state
	Apps    map[auth.AppID]*wechat.Client
	Cookies Cookies
	Address string // of the client
	Host    Host
}

// Host has the functions of the gateway that the calls need. All are required.
type Host struct {
	// Bearer returns the identity of the request's access token. Cookies are ignored.
	Bearer func() (*auth.Identity, error)
	// Present returns the identity of the session cookie, or nil if it is not valid. It returns
	// an error only if the store is unavailable.
	Present func() (*auth.Identity, error)
	// Admits reports whether the site admits an app's users.
	Admits func(auth.AppID) bool
	// AdmitLogin counts a login against the limits. The caller must call leave.
	AdmitLogin func() (leave func(), err error)
	// AdmitTicket counts a ticket against the limit of a user.
	AdmitTicket func(auth.User) error
	// AdmitScan counts a scan against the limits. The caller must call leave.
	AdmitScan func() (leave func(), err error)
	// Began records a login.
	Began func(app auth.AppID, door auth.Door, opened *web.Opened, err error)
	// End ends a session, and records it.
	End func(id *auth.Identity) error
	// Leaving reports whether the process is about to exit.
	Leaving func() bool
	// Respond responds with v in JSON, which no cache keeps.
	Respond func(v any) error
	// Expand replaces the placeholders in a text.
	Expand func(text string) string
	// OfApp adds to a failure the app that it concerns.
	OfApp func(app auth.AppID, err error) error
	// RequestID identifies the request in logs.
	RequestID string
}

func (c *Call) client() web.Client {
	return web.Client{Device: edge.DeviceOf(c.R.Header), Address: c.Address}
}

// platform returns the client of an app.
func (c *Call) platform(app auth.AppID) (*wechat.Client, error) {
	client, ok := c.Apps[app]
	if !ok {
		return nil, auth.ErrUnknownApp
	}
	return client, nil
}

// done responds without a body.
func (c *Call) done() error {
	c.W.Header().Set("Cache-Control", "no-store")
	c.W.WriteHeader(http.StatusNoContent)
	return nil
}

// begin sets the cookie of a new session, which replaces the browser's previous cookie. The
// previous session ends, since only a copy of its cookie could still use it.
func (s *Site) begin(c *Call, opened *web.Opened) {
	before, _ := c.Host.Present() // the new session is valid even if the previous one could not be ended
	s.set(c.W, s.cookies.session, opened.Cookie.Value(), opened.Life())
	if before != nil {
		_ = c.Host.End(before) // recorded there
	}
}

// readForm reads the fields of a form.
func readForm(c *Call) (url.Values, error) {
	body, err := problem.ReadBody(c.W, c.R)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, problem.BadRequest("The form cannot be read.")
	}
	return form, nil
}
