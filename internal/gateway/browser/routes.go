package browser

import (
	"errors"
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/browser/page"
	"github.com/wxgate/wxgate/internal/problem"
)

// Route is one call of a site.
type Route struct {
	Path, Name   string // Name is the metrics' label
	Method, Also string // Also is a second method; "" for none
	Page         bool   // a browser opens it as a page, and its errors are pages
	Serve        func(*Site, *Call) error
}

// Routes returns the calls that the site's doors need.
func (s *Site) Routes() []Route {
	get, post := http.MethodGet, http.MethodPost
	routes := []Route{
		{Path: s.calls + pathLogin, Name: "web_login", Method: get, Page: true, Serve: (*Site).Login},
		{Path: s.calls + pathLogout, Name: "web_logout", Method: post, Serve: (*Site).Logout},
	}
	if s.config.Official.App != "" || s.config.Website != "" {
		routes = append(routes, Route{Path: s.calls + pathCallback, Name: "web_callback", Method: get, Page: true, Serve: (*Site).Callback})
	}
	if s.config.Ticket {
		routes = append(routes,
			Route{Path: s.calls + pathTicket, Name: "web_ticket", Method: post, Serve: (*Site).Ticket},
			Route{Path: s.calls + pathEnter, Name: "web_enter", Method: get, Also: post, Page: true, Serve: (*Site).Enter})
	}
	if s.config.Scan.App != "" {
		routes = append(routes,
			Route{Path: s.calls + pathScan, Name: "web_scan", Method: post, Serve: (*Site).NewScan},
			Route{Path: s.calls + pathScan + "/", Name: "web_scan_state", Method: get, Also: post, Serve: (*Site).Scan})
	}
	return routes
}

// Folder returns the path of the route that has calls below it and contains this path; "" for
// any other path. A nil Site has no routes.
func (s *Site) Folder(path string) string {
	if s == nil {
		return ""
	}
	if scans := s.calls + pathScan + "/"; strings.HasPrefix(path, scans) {
		return scans
	}
	return ""
}

// errCode tells a user what to do if WeChat refused a code. The details of the login API are
// for developers of mini programs.
var errCode = problem.Forbidden("WeChat refused this login: it took too long, or was used before. Log in again.")

// ShowProblem shows a problem as a page.
func (s *Site) ShowProblem(c *Call, p *problem.Problem) error {
	shown := p
	if errors.Is(p, auth.ErrInvalidCode) || errors.Is(p, auth.ErrCodeUsed) {
		shown = errCode
	}
	p.Advise(c.W.Header())
	return s.config.Pages.Error(c.W, c.R, page.Error{
		Status: p.Status, Code: p.Code, Detail: shown.For(c.R).Text(), RequestID: c.Host.RequestID, Retry: s.Retry(c),
	})
}
