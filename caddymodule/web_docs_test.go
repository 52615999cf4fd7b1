package caddymodule_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// webGuide loads the Caddyfile of docs/web.md. Only addresses and apps change.
func webGuide(t *testing.T) *fixture {
	t.Helper()
	t.Setenv("WX_OFFICIAL_SECRET", "00000000000000000000000000000004")
	t.Setenv("WX_WEBSITE_SECRET", "00000000000000000000000000000005")
	config := guideBlock(t, "web.md", "## A whole Caddyfile", "caddyfile")
	const api = "\n\t\t\tapi {{.API}}"
	for _, change := range [][2]string{
		{"{\n\twxgate {\n\t\tapp", "{\n\tadmin off\n\tpersist_config off\n\tstorage file_system {{.Dir}}/caddy\n\twxgate {\n\t\tstore bolt {{.Dir}}/wxgate.db\n\t\tapp"},
		{"app wx1111111111111111 {env.WX_SECRET}", "app wx0000000000000001 {env.WXGATE_TEST_SECRET} {" + api + "\n\t\t}"},
		{"scan wx1111111111111111", "scan wx0000000000000001"},
		{"\n\t\t\tkind official", api + "\n\t\t\tkind official"},
		{"\n\t\t\tkind website", api + "\n\t\t\tkind website"},
		{"\nshop.example.com {", "\nhttp://{{.Addr}} {"},
		{"url https://shop.example.com", "url http://{{.Addr}}"},
		{"127.0.0.1:9000", "{{.Upstream}}"},
	} {
		if strings.Count(config, change[0]) != 1 {
			t.Fatalf("the Caddyfile does not have exactly one %q:\n%s", change[0], config)
		}
		config = strings.Replace(config, change[0], change[1], 1)
	}
	f := newFixture(t, strings.NewReplacer("wx4444444444444444", "wx0000000000000004", "wx5555555555555555", "wx0000000000000005").Replace(config))
	for _, app := range []string{"wx0000000000000001", "wx0000000000000004", "wx0000000000000005"} {
		if err := f.sim.Sim.AddUser(wechatsim.User{App: app, Name: "alice"}, wechatsim.Details{UnionID: webGuidePerson}); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// webGuidePerson is the unionid of alice in every app.
const webGuidePerson = "oUNION-alice"

// TestWebGuideDomainFile: WeChat fetches the file that proves the domain, without a session.
func TestWebGuideDomainFile(t *testing.T) {
	f := webGuide(t)
	const token = "AbCdEf0123456789"
	a := f.do("GET", "/MP_verify_"+token+".txt", "")
	if a.status != http.StatusOK || a.body != token {
		t.Errorf("the file: %d %q, want 200 %q", a.status, a.body, token)
	}
	f.do("GET", "/MP_verify_other.txt", "").want(t, http.StatusUnauthorized, "missing_token")
}

// TestWebGuide follows docs/web.md: the login on each of WeChat's pages, the headers for the
// service, the refused requests of another site, and the logout.
func TestWebGuide(t *testing.T) {
	f := webGuide(t)
	for _, door := range []struct{ name, app, agent, page string }{
		{"official", "wx0000000000000004", "Mozilla/5.0 (iPhone) MicroMessenger/8.0", "/orders?a=1"},
		{"website", "wx0000000000000005", "Mozilla/5.0 (Windows NT 10.0)", pub + "/web/login?door=website&return=/orders%3Fa%3D1"},
	} {
		t.Run(door.name, func(t *testing.T) {
			browser := newWebBrowser(t)
			get := func(path string, headers ...string) *http.Response {
				return browser.send(t, "GET", f.url+path, append(headers, "User-Agent", door.agent)...)
			}
			if r := get(door.page, "Sec-Fetch-Mode", "navigate"); r.StatusCode != http.StatusOK || r.Request.URL.String() != f.url+"/orders?a=1" {
				t.Fatalf("the login ended at %s with %d", r.Request.URL, r.StatusCode)
			}
			sent := f.upstream.last(t).Header
			if sent.Get("X-Wx-Appid") != door.app || sent.Get("X-Wx-Unionid") != webGuidePerson || sent.Get("X-Wx-Source") != "web" || sent.Get("Cookie") != "" {
				t.Errorf("the service received %v", sent)
			}
			for _, post := range []struct {
				origin string
				want   int
			}{{f.url, http.StatusOK}, {"", http.StatusForbidden}, {"https://evil.example", http.StatusForbidden}, {"null", http.StatusForbidden}} {
				var headers []string
				if post.origin != "" {
					headers = []string{"Origin", post.origin}
				}
				if r := browser.send(t, "POST", f.url+"/orders", headers...); r.StatusCode != post.want {
					t.Errorf("a POST with Origin %q: %d, want %d", post.origin, r.StatusCode, post.want)
				}
			}
			if r := browser.send(t, "POST", f.url+pub+"/web/logout", "Origin", f.url); r.StatusCode != http.StatusNoContent {
				t.Errorf("the logout: %d", r.StatusCode)
			}
			if r := get("/orders"); r.StatusCode != http.StatusUnauthorized {
				t.Errorf("after the logout: %d", r.StatusCode)
			}
		})
	}
}

// TestWebGuideTicket: a web-view opens the URL of a ticket once.
func TestWebGuideTicket(t *testing.T) {
	f := webGuide(t)
	login := f.login("alice")
	bearer := "Bearer " + login.str(t, "access_token")
	ticket := f.do("POST", pub+"/web/ticket", "", "Authorization", bearer)
	ticket.want(t, http.StatusOK, "")
	browser := newWebBrowser(t)
	if r := browser.send(t, "GET", ticket.str(t, "url")+"&return=%2Faccount"); r.StatusCode != http.StatusOK || r.Request.URL.String() != f.url+"/account" {
		t.Fatalf("the web-view ended at %s with %d", r.Request.URL, r.StatusCode)
	}
	if r := f.upstream.last(t); !identifies(r, login.str(t, "openId")) {
		t.Errorf("the service received %v", r.Header)
	}
	if r := newWebBrowser(t).send(t, "GET", ticket.str(t, "url")); r.StatusCode != http.StatusBadRequest {
		t.Errorf("the ticket again: %d", r.StatusCode)
	}
	f.do("POST", pub+"/logout", "", "Authorization", bearer).want(t, http.StatusNoContent, "")
	if r := browser.send(t, "GET", f.url+"/account"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the logout of the mini program: %d", r.StatusCode)
	}
}

// TestWebGuideCommands runs the commands of docs/web.md, with the addresses of the test.
func TestWebGuideCommands(t *testing.T) {
	f := webGuide(t)
	const heading = "### Try it with curl"
	commands := strings.Replace(guideBlock(t, "web.md", heading, "sh"), "http://127.0.0.1:8080", f.url, 1)
	sh := exec.CommandContext(t.Context(), "sh", "-eu", "-c", commands)
	sh.Dir, sh.Env = t.TempDir(), append(os.Environ(), "NO_PROXY=*")
	printed, err := sh.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	want := strings.NewReplacer("http://127.0.0.1:8080", f.url, "wx4444444444444444", "wx0000000000000004").Replace(guideBlock(t, "web.md", heading, "text"))
	if !regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(want), "…", `[\w-]+`) + "$").Match(printed) {
		t.Errorf("the commands print\n%s\nwant\n%s", printed, want)
	}
}

// webBrowser follows redirects and keeps cookies. On WeChat's pages it is alice.
type webBrowser struct{ client *http.Client }

func newWebBrowser(t *testing.T) webBrowser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return webBrowser{&http.Client{Jar: jar, Transport: transport, CheckRedirect: func(next *http.Request, before []*http.Request) error {
		if len(before) > 9 {
			return fmt.Errorf("too many redirects: %s", next.URL)
		}
		if strings.HasPrefix(next.URL.Path, "/connect/") {
			next.URL.RawQuery += "&user=" + url.QueryEscape("alice")
		}
		return nil
	}}}
}

func (b webBrowser) send(t *testing.T, method, to string, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, to, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	response.Body = io.NopCloser(bytes.NewReader(text))
	return response
}
