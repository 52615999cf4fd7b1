package playground

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/demo/playground/describe"
)

// The doors: how a browser logs in. The names are those of the gateway.
const (
	official = "official"
	website  = "website"
	webView  = "webview"
	scanning = "scan"
)

var doors = []string{official, website, webView, scanning}

// agents are the browsers at the doors: two are WeChat's on a phone, two are on a PC.
var agents = map[string]string{
	official: strings.TrimSuffix(userAgent, " MiniProgram"),
	webView:  userAgent,
	website:  pcAgent,
	scanning: pcAgent,
}

const pcAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"

// The paths of the web calls, in the default prefix.
const (
	webLoginPath  = "/v1.0/pub/web/login"
	webTicketPath = "/v1.0/pub/web/ticket"
	webEnterPath  = "/v1.0/pub/web/enter"
	webScanPath   = "/v1.0/pub/web/scan"
	webLogoutPath = "/v1.0/pub/web/logout"
)

const (
	// sessionCookie is the gateway's cookie of a session on loopback.
	sessionCookie = "wxgate"
	// maxRedirects is more than any login needs.
	maxRedirects = 8
)

// webPage is what the browsers open.
func (p *Playground) webPage() string {
	if p.config.Service != "" {
		return "/" // which any service has
	}
	return ordersPath
}

// What a browser shows.
const (
	showsWeChat   = "wechat"   // the page on which a user allows the login
	showsCode     = "code"     // of a scan, and the number
	showsQuestion = "question" // Continue as …?
	showsPage     = "page"     // of the upstream
	showsRefusal  = "refusal"
)

// window is a browser of a user. There is one for each door: a browser has one session at a
// time, so that a user of one browser could be at one door only.
type window struct {
	Door   string `json:"door"`
	User   string `json:"user"`
	URL    string `json:"url"`
	Shows  string `json:"shows"`
	Status int    `json:"status"`
	Text   string `json:"text,omitempty"`  // of the page
	Code   string `json:"code,omitempty"`  // of a refusal
	Image  string `json:"image,omitempty"` // of a scan, as a data: URI
	Number string `json:"number,omitempty"`
	Scan   string `json:"scan,omitempty"` // its state
	Cookie bool   `json:"has_cookie"`     // of a session, valid or not

	cookies map[string]string // of the gateway
	scan    string
	ticket  string // of the question
}

var (
	errUnknownDoor = errors.New("unknown door")
	errNoLogin     = errors.New("this browser shows no login of WeChat")
	errNoQuestion  = errors.New("this browser asks nothing")
	errElsewhere   = errors.New("the browser was sent to another host")
	errRedirects   = errors.New("the browser was redirected too often")
)

// windowKey is a browser of a user.
type windowKey struct{ user, door string }

// window returns the browser of a command, and makes it when it is first used.
func (p *Playground) window(c command) (*window, error) {
	if !slices.Contains(doors, c.Door) {
		return nil, fmt.Errorf("%w: %w %q", errBadCommand, errUnknownDoor, c.Door)
	}
	if !slices.Contains(users, c.User) {
		return nil, errUnknownUser
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := windowKey{c.User, c.Door}
	if p.windows[key] == nil {
		p.windows[key] = &window{Door: c.Door, User: c.User, cookies: map[string]string{}}
	}
	return p.windows[key], nil
}

// shownWindows returns the browsers that have shown something. It is called with the lock held.
func (p *Playground) shownWindows() []window {
	out := []window{}
	for _, user := range users {
		for _, door := range doors {
			if w := p.windows[windowKey{user, door}]; w != nil {
				out = append(out, *w)
			}
		}
	}
	return out
}

// browse returns a request of a browser. The gateway gets its cookies, and WeChat does not:
// here they are one host, whose ports no browser keeps apart.
func (p *Playground) browse(w *window, method, address, body string) call {
	h := http.Header{"User-Agent": {agents[w.Door]}}
	c := call{from: Browser, to: WeChat, client: p.browser, method: method, url: address, header: h, body: body}
	if strings.HasPrefix(address, p.config.Gateway+"/") {
		c.to = Gateway
		if cookie := w.cookieHeader(); cookie != "" {
			h["Cookie"] = []string{cookie}
		}
	}
	return c
}

// fromPage makes the request one of a page of the gateway, as its script sends it.
func (c call) fromPage(origin string) call {
	c.header["Origin"], c.header["Sec-Fetch-Site"] = []string{origin}, []string{"same-origin"}
	return c
}

// navigation makes the request one that shows a page.
func (c call) navigation() call {
	c.header["Accept"], c.header["Sec-Fetch-Mode"], c.header["Sec-Fetch-Dest"] = []string{"text/html"}, []string{"navigate"}, []string{"document"}
	return c
}

func (w *window) cookieHeader() string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(w.cookies)) {
		pairs = append(pairs, name+"="+w.cookies[name])
	}
	return strings.Join(pairs, "; ")
}

// send sends a request of a browser, and keeps the cookies of the gateway.
func (p *Playground) send(ctx context.Context, a *action, w *window, c call) (reply, error) {
	response, err := p.exchange(ctx, a, c)
	if err != nil || c.to != Gateway {
		return response, err
	}
	p.update(func() {
		for _, cookie := range (&http.Response{Header: response.header}).Cookies() {
			if cookie.MaxAge < 0 {
				delete(w.cookies, cookie.Name)
			} else {
				w.cookies[cookie.Name] = cookie.Value
			}
		}
		w.Cookie = w.cookies[sessionCookie] != ""
	})
	return response, nil
}

// show shows the page of a request, or where it leads.
func (p *Playground) show(ctx context.Context, a *action, w *window, c call) error {
	for range maxRedirects {
		response, err := p.send(ctx, a, w, c)
		if err != nil {
			return err
		}
		next := response.header.Get("Location")
		if response.status < http.StatusMultipleChoices || response.status >= http.StatusBadRequest || next == "" {
			p.update(func() { w.shown(c, response) })
			return nil
		}
		address, err := resolved(c.url, next)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(address, p.config.Gateway+"/") && !strings.HasPrefix(address, p.config.WeChat+"/") {
			return fmt.Errorf("%w: %s", errElsewhere, address)
		}
		c = p.browse(w, http.MethodGet, address, "").navigation()
	}
	return errRedirects
}

// resolved returns the URL of a Location header.
func resolved(base, location string) (string, error) {
	from, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("following a redirect: %w", err)
	}
	to, err := from.Parse(location)
	if err != nil {
		return "", fmt.Errorf("following a redirect: %w", err)
	}
	return to.String(), nil
}

// shown notes what the browser shows after a request.
func (w *window) shown(c call, response reply) {
	*w = window{
		Door: w.Door, User: w.User, Cookie: w.Cookie, cookies: w.cookies,
		URL: c.url, Status: response.status, Shows: showsPage,
	}
	from, _ := url.Parse(c.url) // a request was sent to it
	switch {
	case response.status >= http.StatusBadRequest:
		w.Shows, w.Code = showsRefusal, describe.CodeOf(response.body)
	case c.to == WeChat:
		w.Shows = showsWeChat
	case from.Path == webEnterPath:
		w.Shows, w.ticket = showsQuestion, from.Query().Get("ticket")
	default:
		w.Text = describe.Shown([]byte(response.body))
	}
}
