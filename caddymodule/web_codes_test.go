package caddymodule_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// webCalls is docs/api.md's heading for the calls of browsers.
const webCalls = "web"

// errorOnPage is the status and the code on a page that shows an error.
var errorOnPage = regexp.MustCompile(`<dd>(\d{3} [a-z_]+)</dd>`)

// webRefusals provokes the errors that docs/api.md lists for the calls of browsers.
func webRefusals(t *testing.T, page *codesPage) {
	f := webGuide(t)
	bearer := []string{"Authorization", "Bearer " + f.token("alice")}
	refused := func(call, want, method, path, body string, header ...string) {
		t.Helper()
		a := f.do(method, path, body, header...)
		if got := rowOf(t, a); got != want {
			t.Fatalf("%s %s: got %s, want %s: %s", method, path, got, want, a.body)
		}
		page.saw(t, call, a)
	}
	shown := func(want, path string) {
		t.Helper()
		if a := f.do("GET", path, ""); shownError(a.body) != want {
			t.Fatalf("GET %s: %d %s, want %s", path, a.status, a.body, want)
		}
		page.seen[webCalls][want] = true
	}
	origin := []string{"Origin", f.url}
	refused(webCalls, "400 invalid_request", "PUT", pub+"/web/scan", "")
	refused(webCalls, "401 missing_token", "POST", pub+"/web/ticket", "")
	refused(webCalls, "401 invalid_token", "POST", pub+"/web/ticket", "", "Authorization", "Bearer wrong")
	refused(webCalls, "403 cross_site", "POST", pub+"/web/scan", "")
	shown("400 login_state_invalid", pub+"/web/callback?code=1&state="+strings.Repeat("0", 32))
	shown("400 ticket_invalid", pub+"/web/enter?ticket=wxt_1")

	scan := f.do("POST", pub+"/web/scan", "", origin...)
	scan.want(t, http.StatusOK, "")
	calls := pub + "/web/scan/" + scan.str(t, "scan")
	f.do("GET", calls+"/request", "", bearer...).want(t, http.StatusOK, "")
	number := "0000"
	if scan.str(t, "number") == number {
		number = "0001"
	}
	refused(webCalls, "400 wrong_number", "POST", calls, `{"confirm":true,"number":"`+number+`"}`, bearer...)
	refused(webCalls, "404 scan_not_found", "GET", pub+"/web/scan/"+strings.Repeat("A", 22)+"/request", "", bearer...)
	var limited response
	for limited = scan; limited.status == http.StatusOK; {
		limited = f.do("POST", pub+"/web/scan", "", origin...)
	}
	page.saw(t, webCalls, limited)
	webCookieRefusals(t, f, page)
}

// shownError is the status and the code that a page shows.
func shownError(page string) string {
	found := errorOnPage.FindStringSubmatch(page)
	if found == nil {
		return ""
	}
	return found[1]
}

// webCookieRefusals provokes the errors that need a browser with cookies.
func webCookieRefusals(t *testing.T, f *fixture, page *codesPage) {
	browser := newWebBrowser(t)
	if r := browser.send(t, "GET", f.url+pub+"/web/login?door=official&return=/orders"); r.StatusCode != http.StatusOK {
		t.Fatalf("the login: %d", r.StatusCode)
	}
	site, err := url.Parse(f.url)
	if err != nil {
		t.Fatal(err)
	}
	var cookies []string
	for _, cookie := range browser.client.Jar.Cookies(site) {
		cookies = append(cookies, cookie.Name+"="+cookie.Value)
	}
	a := f.do("POST", "/orders", "", "Cookie", strings.Join(cookies, "; "))
	a.want(t, http.StatusForbidden, "cross_site")
	page.saw(t, otherPaths, a)

	snapshot := newWebBrowser(t)
	snapshot.client.CheckRedirect = func(next *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(next.URL.Path, "/connect/") {
			next.URL.RawQuery += "&snapshot=1"
		}
		return nil
	}
	r := snapshot.send(t, "GET", f.url+pub+"/web/login?door=official")
	text, err := io.ReadAll(r.Body)
	if err != nil || shownError(string(text)) != "403 snapshot_user" {
		t.Fatalf("a snapshot user: %d at %s: %s, %v", r.StatusCode, r.Request.URL, text, err)
	}
	page.seen[webCalls]["403 snapshot_user"] = true
}
