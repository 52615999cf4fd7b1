package doors_test

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// client is a browser without pages: it has cookies and the User-Agent of a PC or a phone.
type client struct {
	w    *world
	http http.Client
	as   string // its User-Agent
}

func newClient(w *world, agent string) *client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &client{w, http.Client{Jar: jar, Transport: clients.Transport, CheckRedirect: clients.CheckRedirect, Timeout: patience}, agent}
}

// do sends a request, whose response must have a status, and decodes the response if out is
// not nil. It returns the Location.
func (c *client) do(method, address string, status int, out any) (location string) {
	c.w.t.Helper()
	r, err := http.NewRequest(method, address, nil)
	if err != nil {
		c.w.t.Fatal(err)
	}
	r.Header.Set("User-Agent", c.as)
	r.Header.Set("Origin", c.w.origin)
	response, err := c.http.Do(r)
	if err != nil {
		c.w.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != status {
		c.w.t.Fatalf("%s %s: %d, want %d", method, address, response.StatusCode, status)
	}
	if out != nil {
		if err := json.NewDecoder(response.Body).Decode(out); err != nil {
			c.w.t.Fatal(err)
		}
	}
	return response.Header.Get("Location")
}

// TestKill: each step that succeeded before the process was killed is still valid after the next
// start: a ticket, a confirmed scan, a login that is at WeChat, and a logout.
func TestKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.phoneLogin("alice", "unionid-of-alice")
	pc, webView, other := newClient(w, onPC.agent), newClient(w, onPhone.agent), newClient(w, onPC.agent)

	var scan struct{ Scan, Number string }
	pc.do(http.MethodPost, w.origin+pub+"/web/scan", http.StatusOK, &scan)
	alice.call(http.MethodGet, "/web/scan/"+scan.Scan+"/request", struct{}{}, http.StatusOK, nil)
	alice.call(http.MethodPost, "/web/scan/"+scan.Scan, map[string]any{"confirm": true, "number": scan.Number}, http.StatusOK, nil)
	ticket := alice.ticket("/")
	atWeChat := other.do(http.MethodGet, w.origin+pub+"/web/login?door=website", http.StatusSeeOther, nil)
	gone := newClient(w, onPC.agent)
	gone.login(w, "bob")
	kept := gone.http.Jar.Cookies(mustParse(t, w.origin))
	gone.do(http.MethodPost, w.origin+pub+"/web/logout", http.StatusNoContent, nil)

	w.machines[0].kill()
	w.machines[0].start()
	w.machines[0].await()

	pc.do(http.MethodPost, w.origin+pub+"/web/scan/"+scan.Scan+"/finish", http.StatusNoContent, nil)
	pc.do(http.MethodGet, w.origin+"/orders", http.StatusOK, nil)
	webView.do(http.MethodGet, ticket, http.StatusSeeOther, nil)
	webView.do(http.MethodGet, w.origin+"/orders", http.StatusOK, nil)
	other.do(http.MethodGet, other.pick(atWeChat, "alice"), http.StatusSeeOther, nil)
	other.do(http.MethodGet, w.origin+"/orders", http.StatusOK, nil)
	gone.http.Jar.SetCookies(mustParse(t, w.origin), kept)
	gone.do(http.MethodGet, w.origin+"/orders", http.StatusUnauthorized, nil)

	w.machines[0].kill()
	w.machines[0].start()
	w.machines[0].await()
	for _, c := range []*client{pc, webView, other} {
		c.do(http.MethodGet, w.origin+"/orders", http.StatusOK, nil)
	}
	webView.do(http.MethodGet, ticket, http.StatusBadRequest, nil)
}

// login logs a user in by the website.
func (c *client) login(w *world, user string) {
	w.t.Helper()
	c.do(http.MethodGet, c.pick(c.do(http.MethodGet, w.origin+pub+"/web/login?door=website", http.StatusSeeOther, nil), user), http.StatusSeeOther, nil)
}

var fragment = regexp.MustCompile("#.*")

// pick picks a user at WeChat, and returns where WeChat sends the browser.
func (c *client) pick(page, user string) string {
	c.w.t.Helper()
	back := c.do(http.MethodGet, fragment.ReplaceAllString(page, "")+"&user="+user, http.StatusFound, nil)
	c.w.noteURL(back)
	if !strings.HasPrefix(back, c.w.origin) {
		c.w.t.Fatalf("WeChat returns to %q", back)
	}
	return back
}

func mustParse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
