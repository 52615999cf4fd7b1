package handler

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/caddymodule/app"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/browser"
	"github.com/wxgate/wxgate/internal/gateway/browser/page"
	"github.com/wxgate/wxgate/internal/wechat"
)

// Web serves browsers beside mini programs: they log in through one or several doors, and
// their sessions have a cookie instead of tokens. At least one door is required.
type Web struct {
	// The public origin of the site, such as `https://shop.example.com`. Redirects and the
	// checks of origins use it, and never the header Host. `http` is allowed on loopback
	// only. Default: the site's only host, with https on port 443; otherwise required.
	URL string `json:"url,omitempty"`

	// The appid of the official account (公众号) that signs users in on pages inside WeChat,
	// an app of `kind official`. Default: none.
	Official string `json:"official,omitempty"`

	// What the official account asks for: `userinfo`, or `base`, which asks the user nothing
	// and returns no unionid, so that users of other doors never count as the same person.
	// Default `userinfo`.
	Scope string `json:"scope,omitempty"`

	// The appid of the website app (网站应用) whose QR code WeChat shows on a PC, an app of
	// `kind website`. Default: none.
	Website string `json:"website,omitempty"`

	// The appid of the mini program whose code a PC shows; a phone scans and confirms.
	// Default: none.
	Scan string `json:"scan,omitempty"`

	// The page of the mini program that the code opens, such as `pages/scan/scan`. Default:
	// its first page.
	ScanPage string `json:"scan_page,omitempty"`

	// The location of the PC, which the phone shows: a text with placeholders, such as
	// `{http.request.header.X-Geo-City}`, a header that your proxy sets. Default: not shown.
	ScanPlace string `json:"scan_place,omitempty"`

	// Carry a login from a mini program of the site into its web-view. Default: off.
	Ticket bool `json:"ticket,omitempty"`

	// The name of the session cookie, which must begin with `__Host-`. Default
	// `__Host-wxgate`; with an http URL, `wxgate`.
	Cookie string `json:"cookie,omitempty"`

	// Origins where a browser may be sent after the login, besides the site itself. Default:
	// none.
	Return []string `json:"return,omitempty"`

	// The color of the buttons of the pages, such as `#07c160`. Default: WeChat's green.
	Accent string `json:"accent,omitempty"`

	// The background color of the pages. Default: one color for the light theme, another for
	// the dark theme.
	Background string `json:"background,omitempty"`

	// A folder with the operator's own pages: `scan.html`, `continue.html` and `error.html`.
	// Default: the built-in pages.
	Pages string `json:"pages,omitempty"`
}

const (
	scopeUserInfo = "userinfo"
	scopeBase     = "base"
)

// open returns the site for browsers, or nil if w is nil, and adds the apps of its doors to
// the admitted apps.
func (w *Web) open(ctx caddy.Context, a *app.App, prefix string, admitted map[auth.AppID]struct{}) (*browser.Site, error) {
	if w == nil {
		return nil, nil //nolint:nilnil // no site is no error
	}
	config, err := w.resolve(ctx, a, admitted)
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	config.Prefix = prefix
	site, err := browser.New(config)
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	for _, id := range site.Apps() {
		admitted[id] = struct{}{}
	}
	a.AddBrowsers()
	return site, nil
}

// check checks the options that depend on no other part of the configuration.
func (w *Web) check() error {
	if w.Official == "" && w.Website == "" && w.Scan == "" && !w.Ticket {
		return errors.New("web has no door; set official, website, scan or ticket")
	}
	if err := w.checkScope(); err != nil {
		return err
	}
	return browser.CheckCookie(w.Cookie, w.URL)
}

func (w *Web) resolve(ctx caddy.Context, a *app.App, admitted map[auth.AppID]struct{}) (config browser.Config, err error) {
	if err := w.check(); err != nil {
		return config, err
	}
	config = browser.Config{Cookie: w.Cookie, Ticket: w.Ticket, Return: w.Return}
	config.Scan.Page, config.Scan.Place = w.ScanPage, w.ScanPlace
	if config.URL, err = w.url(ctx); err != nil {
		return config, err
	}
	config.Official.Base = w.Scope == scopeBase
	for _, door := range []struct {
		name, app string
		kind      wechat.Kind
		into      *auth.AppID
	}{
		{"official", w.Official, wechat.Official, &config.Official.App},
		{"website", w.Website, wechat.Website, &config.Website},
		{"scan", w.Scan, "", &config.Scan.App},
	} {
		if *door.into, err = a.OfKind(door.app, door.kind); err != nil {
			return config, fmt.Errorf("%s: %w", door.name, err)
		}
	}
	if err := w.checkApps(a, config, admitted); err != nil {
		return config, err
	}
	config.Pages, err = page.New(page.Theme{Accent: w.Accent, Background: w.Background}, w.Pages)
	return config, err
}

// checkApps refuses apps with different APIs, because the login code of one app could be sent to
// the API of the other (mix-up), and a scan that no phone could confirm.
func (w *Web) checkApps(a *app.App, config browser.Config, admitted map[auth.AppID]struct{}) error {
	if official, website := config.Official.App, config.Website; official != "" && website != "" && !a.SameAPI(official, website) {
		return fmt.Errorf("official %s and website %s have different values of api; a code of one would be sent to the other (mix-up)", official, website)
	}
	if _, ok := admitted[config.Scan.App]; config.Scan.App != "" && !ok {
		return fmt.Errorf("scan %s: the site does not admit this app, so no phone could confirm; add it to the option app", config.Scan.App)
	}
	return nil
}

func (w *Web) checkScope() error {
	switch {
	case w.Scope == "":
		return nil
	case w.Official == "":
		return errors.New("scope is of an official account, and none is set")
	case w.Scope != scopeUserInfo && w.Scope != scopeBase:
		return fmt.Errorf("official: unrecognized scope %q; expected userinfo or base", w.Scope)
	}
	return nil
}

// url returns the configured origin, or the origin of the site's only host.
func (w *Web) url(ctx caddy.Context) (string, error) {
	if w.URL != "" {
		return w.URL, nil
	}
	hosts := siteHosts(ctx)
	if len(hosts) != 1 || strings.ContainsAny(hosts[0], "*{") || !servesHTTPS(ctx) {
		return "", errors.New("url is required, unless the site has one host name and https on port 443: url https://shop.example.com")
	}
	return "https://" + hosts[0], nil
}

// siteHosts returns the host names of the site that is being provisioned.
func siteHosts(ctx caddy.Context) (hosts []string) {
	for _, set := range siteMatchers(ctx) {
		for _, matcher := range set {
			if names, ok := matcher.(*caddyhttp.MatchHost); ok {
				hosts = append(hosts, *names...)
			}
		}
	}
	return hosts
}

// servesHTTPS reports whether the server listens on port 443 only.
func servesHTTPS(ctx caddy.Context) bool {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return false
	}
	for _, address := range server.Listen {
		if _, port, err := net.SplitHostPort(address); err != nil || port != "443" {
			return false
		}
	}
	return len(server.Listen) > 0
}
