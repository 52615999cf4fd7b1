package browser

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/wxgate/wxgate/internal/problem"
)

// maxReturnBytes bounds the URL to which a browser is sent after the login: it is stored in a
// cookie.
const maxReturnBytes = 2048

var (
	errReturn     = problem.BadRequest("return must be a path of this site, or a URL of an origin that the site's option return names.")
	errLongReturn = problem.BadRequest("return may have %d bytes at most.", maxReturnBytes)
)

// target returns the URL of a parameter return; the site's root if it is empty.
//
// The URL is compared as text with origins that end in a slash, and returned as an absolute
// URL: no reader can mistake a part of the path for a host. "//evil.example", "/\evil.example",
// "/\t/evil.example", "https:evil.example" and "https://shop.example.com@evil.example" would
// send a user who has just logged in to another site (open redirect).
func (s *Site) target(text string) (string, error) {
	if text == "" {
		text = "/"
	}
	if len(text) > maxReturnBytes {
		return "", errLongReturn
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return "", errReturn
		}
	}
	if strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") {
		text = s.origin + text
	}
	for _, origin := range s.returns {
		if text == origin {
			text += "/"
		}
		if strings.HasPrefix(text, origin+"/") {
			return text, s.checkTarget(text)
		}
	}
	return "", errReturn
}

// checkTarget refuses invalid URLs, and the calls of the site: a login that returns to the
// login would never end.
func (s *Site) checkTarget(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.User != nil {
		return errReturn
	}
	cleaned := path.Clean(u.Path) // browsers resolve dots, also encoded ones
	if strings.HasPrefix(text, s.origin+"/") && (cleaned == s.calls || strings.HasPrefix(cleaned, s.calls+"/")) {
		return errReturn
	}
	return nil
}

func (s *Site) loginPath(back string) string {
	return s.calls + pathLogin + "?" + url.Values{paramReturn: {back}}.Encode()
}

// redirect redirects the browser. Neither the next page nor a cache gets the URL of this
// request, which may contain a code or a ticket.
func redirect(w http.ResponseWriter, to string) error {
	h := w.Header()
	h.Set("Location", to)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// Redirect sends a browser without a session to the login, which returns the browser to the
// requested path and query.
func (s *Site) Redirect(w http.ResponseWriter, back string) error {
	if _, err := s.target(back); err != nil {
		back = "/"
	}
	return redirect(w, s.loginPath(back))
}
