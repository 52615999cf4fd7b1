package browser

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/web"
)

const (
	// With hostPrefix, browsers accept a cookie only from this exact host, over TLS, for all
	// paths (RFC 6265bis section 4.1.3.2): a sibling host cannot set or replace it.
	hostPrefix = "__Host-"
	// defaultCookie is the name of the session cookie.
	defaultCookie = "wxgate"
	// maxLogins is how many logins of one browser may be in progress, for example one per tab.
	maxLogins = 8
	// loginNameChars is how many characters of a state are part of the name of its cookie.
	loginNameChars = 8
	// maxLoginBytes bounds the cookie of a login: browsers drop a cookie that has more than
	// 4096 bytes, including its name.
	maxLoginBytes = 3840
)

// names are the names of the cookies.
type names struct {
	session string
	scan    string // the browser key of a scan
	login   string // prefix of the cookies of logins in progress
}

// CheckCookie refuses a name of the session cookie that a site at this origin cannot use. "" is
// the default of either argument.
func CheckCookie(name, origin string) error {
	secure := true
	if origin != "" {
		var err error
		if _, secure, err = ParseOrigin(origin); err != nil {
			return err
		}
	}
	_, err := newNames(name, secure)
	return err
}

// newNames returns the names of a site's cookies. A name without hostPrefix is refused on
// origins where browsers support the prefix: otherwise a sibling host could set the cookie and
// log a victim in as the attacker (cookie tossing).
func newNames(configured string, secure bool) (names, error) {
	name := configured
	if name == "" {
		name = defaultCookie
		if secure {
			name = hostPrefix + defaultCookie
		}
	}
	switch {
	case !httpguts.ValidHeaderFieldName(name) || name == hostPrefix:
		return names{}, fmt.Errorf("cookie: %q is not a name", name)
	case secure && !strings.HasPrefix(name, hostPrefix):
		return names{}, fmt.Errorf("cookie: %q must begin with %s, so that no other host can set it", name, hostPrefix)
	case !secure && strings.HasPrefix(strings.ToLower(name), "__"):
		return names{}, fmt.Errorf("cookie: %q: browsers refuse a name that begins with __Host- or __Secure- without https; leave the option out", name)
	}
	return names{session: name, scan: name + "-scan", login: name + "-login-"}, nil
}

// Cookies are the site's cookies of a request.
type Cookies struct {
	Session string // "" for none
	Err     error  // why the session cookie cannot be read: it was sent twice

	named  bool // a session cookie was sent, maybe empty
	scan   web.BrowserKey
	logins map[string]string // by the name
}

// Sent reports whether the request has a session cookie, valid or not.
func (c *Cookies) Sent() bool { return c.Session != "" || c.Err != nil }

// Take removes the site's cookies from a request and returns them. Neither the upstream nor a
// log gets them.
func (s *Site) Take(header http.Header) (taken Cookies) {
	var rest []string
	found := false
	for _, line := range header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			// Don't trim Unicode spaces: a sibling host can set a cookie whose name is such a
			// space followed by our name. Browsers do not treat it as a __Host- name (cookie
			// tossing).
			pair = strings.Trim(pair, " \t")
			if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, s.cookies.session) && s.take(&taken, name, value) {
				found = true
			} else if pair != "" {
				rest = append(rest, pair)
			}
		}
	}
	switch {
	case !found:
	case len(rest) == 0:
		delete(header, "Cookie")
	default:
		header["Cookie"] = []string{strings.Join(rest, "; ")}
	}
	return taken
}

// take stores a cookie of the site, and reports whether the cookie is one of the site's.
func (s *Site) take(into *Cookies, name, value string) bool {
	switch {
	case name == s.cookies.session:
		if into.named {
			into.Err = edge.ErrTwoTokens
		}
		into.Session, into.named = value, true
	case name == s.cookies.scan:
		into.scan = web.BrowserKey(value)
	case strings.HasPrefix(name, s.cookies.login):
		if into.logins == nil {
			into.logins = make(map[string]string)
		}
		into.logins[name] = value
	default:
		return false
	}
	return true
}

// login returns the sealed login of a state, "" for none.
func (s *Site) login(c *Cookies, state string) string {
	if !web.ValidState(state) {
		return ""
	}
	return c.logins[s.loginName(state)]
}

func (s *Site) loginName(state string) string { return s.cookies.login + state[:loginNameChars] }

// setLogin stores a login in a cookie until the browser returns from WeChat. If the browser has
// too many logins, the others are deleted.
func (s *Site) setLogin(c *Call, state, sealed string) error {
	if len(sealed) > maxLoginBytes {
		return errLongReturn
	}
	if len(c.Cookies.logins) >= maxLogins {
		for name := range c.Cookies.logins {
			s.set(c.W, name, "", -1)
		}
	}
	s.set(c.W, s.loginName(state), sealed, web.StateLife)
	return nil
}

// set sets a cookie with a lifetime; a negative lifetime deletes it.
//
// With SameSite=Lax, browsers don't send the cookie with requests of other sites' pages, except
// navigations, such as the return from WeChat.
func (s *Site) set(w http.ResponseWriter, name, value string, life time.Duration) {
	maxAge := -1
	if life > 0 {
		maxAge = int(life / time.Second)
	}
	cookie := &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode} //nolint:gosec // G124: without Secure on loopback only
	http.SetCookie(w, cookie)
}

// Forget deletes the session cookie after a logout.
//
// Earlier pages may be in the browser's cache, or in its back/forward cache. They are cleared
// to stop the next user of a shared computer from reading them.
func (s *Site) Forget(w http.ResponseWriter) {
	w.Header().Set("Clear-Site-Data", `"cache"`)
	s.set(w, s.cookies.session, "", -1)
}
