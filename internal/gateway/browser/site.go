package browser

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/browser/page"
)

// Folder is the path of the calls, below the prefix of the login API.
const Folder = "/web"

// The paths of the calls, below Folder.
const (
	pathLogin    = "/login"
	pathCallback = "/callback"
	pathTicket   = "/ticket"
	pathEnter    = "/enter"
	pathScan     = "/scan"
	pathLogout   = "/logout"
)

// WeChat's scopes.
const (
	scopeUserInfo = "snsapi_userinfo"
	scopeBase     = "snsapi_base"
	scopeWebsite  = "snsapi_login"
)

// Config configures a [Site].
type Config struct {
	URL    string // the public origin
	Prefix string // of the login API, without a slash at its end
	Cookie string // default __Host-wxgate; wxgate on a loopback URL without TLS

	Official Official // the zero value for none
	Website  auth.AppID
	Scan     Scan
	Ticket   bool

	Return []string    // origins where a browser may be sent afterwards, besides URL
	Pages  *page.Pages // required
}

// Official is the official account that signs users in inside WeChat.
type Official struct {
	App  auth.AppID
	Base bool // scope snsapi_base: without a question, and without a unionid
}

// Scan is the mini program whose codes are shown.
type Scan struct {
	App   auth.AppID
	Page  string // the page that a phone opens; default the first one
	Place string // where the browser seems to be: a text with placeholders
}

// Site serves browsers. It is safe for concurrent use.
type Site struct {
	config  Config
	origin  string
	calls   string // where the calls are
	secure  bool
	cookies names
	returns []string
	polls   atomic.Int64 // running
}

// New checks the configuration.
func New(config Config) (*Site, error) {
	origin, secure, err := ParseOrigin(config.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	s := &Site{config: config, origin: origin, calls: config.Prefix + Folder, secure: secure, returns: []string{origin}}
	if s.cookies, err = newNames(config.Cookie, secure); err != nil {
		return nil, err
	}
	for _, text := range config.Return {
		allowed, _, err := ParseOrigin(text)
		if err != nil {
			return nil, fmt.Errorf("return: %w", err)
		}
		s.returns = append(s.returns, allowed)
	}
	return s, nil
}

// Owns reports whether a name is the name of one of the site's cookies.
func (s *Site) Owns(cookie string) bool {
	return cookie == s.cookies.session || cookie == s.cookies.scan || strings.HasPrefix(cookie, s.cookies.login)
}

// originHost matches hosts that browsers don't change: other letters must be in Punycode.
var originHost = regexp.MustCompile(`^([a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]+)?$`)

// ParseOrigin returns an origin as browsers write it: https, or http on loopback.
func ParseOrigin(text string) (origin string, secure bool, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || !originHost.MatchString(u.Host) {
		return "", false, fmt.Errorf("%q is not an origin; write it as https://shop.example.com", text)
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch {
	case scheme == "https":
		host = strings.TrimSuffix(host, ":443")
	case scheme == "http" && loopback(u.Hostname()):
		host = strings.TrimSuffix(host, ":80")
	case scheme == "http":
		return "", false, fmt.Errorf("%q: http is allowed on loopback only, since the session cookie could be read on the way; use https", text)
	default:
		return "", false, fmt.Errorf("%q is not an origin; write it as https://shop.example.com", text)
	}
	return scheme + "://" + host, scheme == "https", nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// Apps returns the apps whose users the site admits because of its doors.
func (s *Site) Apps() []auth.AppID {
	var apps []auth.AppID
	for _, app := range []auth.AppID{s.config.Official.App, s.config.Website, s.config.Scan.App} {
		if app != "" {
			apps = append(apps, app)
		}
	}
	return apps
}

// PageApps returns those of the apps that sign users in on pages of WeChat.
func (s *Site) PageApps() []auth.AppID {
	return []auth.AppID{s.config.Official.App, s.config.Website}
}

// appOf returns the app of a door of WeChat; "" for any other door.
func (s *Site) appOf(door auth.Door) auth.AppID {
	if door == auth.DoorOfficial {
		return s.config.Official.App
	}
	if door == auth.DoorWebsite {
		return s.config.Website
	}
	return ""
}

// scope returns the OAuth scope of a door of WeChat.
func (s *Site) scope(door auth.Door) string {
	switch {
	case door == auth.DoorWebsite:
		return scopeWebsite
	case s.config.Official.Base:
		return scopeBase
	}
	return scopeUserInfo
}
