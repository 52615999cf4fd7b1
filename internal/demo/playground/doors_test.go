package playground

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/demo/playground/describe"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// browser returns alice's browser at a door.
func (f *fixture) browser(door string) window {
	f.t.Helper()
	for _, w := range f.state().Windows {
		if w.Door == door && w.User == "alice" {
			return w
		}
	}
	f.t.Fatalf("no browser at %s", door)
	return window{}
}

// secretless fails the test if any page gets the value of a cookie.
func (f *fixture) secretless() {
	f.t.Helper()
	history, _, leave := f.recorder.subscribe()
	leave()
	state, err := json.Marshal(f.state())
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range append(history, event{"state", state}) {
		if strings.Contains(string(e.data), fakeSecret) {
			f.t.Errorf("the value of a cookie is shown: %s", e.data)
		}
	}
}

// TestDoorsOfWeChat: the login goes by WeChat's page, whose user allows it, and ends at the
// upstream. WeChat gets no cookie of the gateway.
func TestDoorsOfWeChat(t *testing.T) {
	for door, begins := range map[string]string{
		official: "browser>gateway gateway>browser browser>gateway gateway>browser browser>wechat wechat>browser",
		website:  "browser>gateway gateway>browser browser>wechat wechat>browser",
	} {
		t.Run(door, func(t *testing.T) {
			f := newFixture(t)
			a := f.do("visit", alice(command{Door: door}))
			if got := arrows(f.messages(a.ID)); got != begins {
				t.Errorf("the arrows are %s, want %s", got, begins)
			}
			if w := f.browser(door); w.Shows != showsWeChat || w.Cookie || !strings.HasPrefix(w.URL, f.config.WeChat+"/connect/") {
				t.Errorf("it shows %+v", w)
			}
			a = f.do("allow", alice(command{Door: door}))
			messages := f.messages(a.ID)
			if got, want := arrows(messages), "browser>wechat wechat>browser browser>gateway gateway>wechat wechat>gateway gateway>browser browser>gateway gateway>upstream upstream>gateway gateway>browser"; got != want {
				t.Fatalf("the arrows are %s, want %s", got, want)
			}
			for at, want := range map[int]describe.Header{
				2: {Name: "Cookie", Value: "wxgate-login-1=•••"},
				5: {Name: "Set-Cookie", Value: "wxgate-login-1=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax, wxgate=•••; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"},
				7: {Name: "Cookie", Value: "wxgate=•••", Mark: "removed"},
			} {
				if !slices.Contains(messages[at].Headers, want) {
					t.Errorf("no %v in %v", want, messages[at].Headers)
				}
			}
			if slices.ContainsFunc(messages[0].Headers, func(h describe.Header) bool { return h.Name == "Cookie" }) || strings.Contains(messages[0].Line, "#") {
				t.Errorf("WeChat got %+v", messages[0])
			}
			if text := messages[4].Body; !strings.Contains(text, `"access_token":"•••"`) || !strings.Contains(text, `"refresh_token":"•••"`) {
				t.Errorf("a token of WeChat's is shown: %s", text)
			}
			if w := f.browser(door); w.Shows != showsPage || !w.Cookie || w.Text != "served" || w.URL != f.config.Gateway+ordersPath {
				t.Errorf("it shows %+v", w)
			}
			f.secretless()
			if a := f.do("allow", alice(command{Door: door})); a.Error != errNoLogin.Error() {
				t.Errorf("a second time: %+v", a)
			}
			f.do("leave", alice(command{Door: door}))
			if w := f.browser(door); w.Cookie || w.Shows != "" {
				t.Errorf("after the logout: %+v", w)
			}
			if f.do("visit", alice(command{Door: door})); f.browser(door).Shows != showsWeChat {
				t.Errorf("after the logout: %+v", f.browser(door))
			}
		})
	}
}

// TestWebsiteAfterEnd: a browser whose session has ended goes by the page of the scan to
// WeChat's.
func TestWebsiteAfterEnd(t *testing.T) {
	f := newFixture(t)
	f.do("visit", alice(command{Door: website}))
	f.do("allow", alice(command{Door: website}))
	f.update(func() { f.windows[windowKey{"alice", website}].cookies = map[string]string{} })
	if f.do("visit", alice(command{Door: website})); f.browser(website).Shows != showsWeChat {
		t.Errorf("it shows %+v", f.browser(website))
	}
}

// TestWebView: a ticket of the phone logs the web-view in. One that has a session asks first.
func TestWebView(t *testing.T) {
	f := newFixture(t)
	if a := f.do("visit", alice(command{Door: webView})); a.Error != errNoAccount.Error() {
		t.Errorf("before the login: %+v", a)
	}
	f.do("login", alice(command{}))
	a := f.do("visit", alice(command{Door: webView}))
	if got, want := arrows(f.messages(a.ID)), "phone>gateway gateway>phone browser>gateway gateway>browser browser>gateway gateway>upstream upstream>gateway gateway>browser"; got != want {
		t.Errorf("the arrows are %s, want %s", got, want)
	}
	if w := f.browser(webView); w.Shows != showsPage || !w.Cookie {
		t.Errorf("it shows %+v", w)
	}
	f.do("visit", alice(command{Door: webView}))
	if w := f.browser(webView); w.Shows != showsQuestion || w.ticket != fakeTicket {
		t.Errorf("it shows %+v", w)
	}
	if a := f.do("go-on", alice(command{Door: webView})); a.Error != "" || f.browser(webView).Shows != showsPage {
		t.Errorf("%+v, it shows %+v", a, f.browser(webView))
	}
	if a := f.do("go-on", alice(command{Door: webView})); a.Error != errNoQuestion.Error() {
		t.Errorf("a second time: %+v", a)
	}
	f.secretless()
}

// TestScan: the phone sees who asks, and only the number that the browser shows logs it in.
func TestScan(t *testing.T) {
	f := newFixture(t)
	if a := f.do("scan", alice(command{})); a.Error != errNoCode.Error() {
		t.Errorf("without a code: %+v", a)
	}
	a := f.do("visit", alice(command{Door: scanning}))
	if body := f.messages(a.ID)[len(f.messages(a.ID))-1].Body; !strings.Contains(body, `"image":"data:image/png;base64,…"`) {
		t.Errorf("the browser got %s", body)
	}
	if w := f.browser(scanning); w.Shows != showsCode || w.Number != fakeNumber || w.Scan != "waiting" || !strings.HasPrefix(w.Image, "data:image/png;base64,AAAA") {
		t.Errorf("it shows %+v", w)
	}
	if a := f.do("scan", alice(command{})); a.Error != errNoAccount.Error() {
		t.Errorf("before the login: %+v", a)
	}
	f.do("login", alice(command{}))
	if a := f.do("decide", alice(command{On: true})); a.Error != errNoAsker.Error() {
		t.Errorf("before the scan: %+v", a)
	}
	a = f.do("scan", alice(command{}))
	if got, want := arrows(f.messages(a.ID)), "phone>gateway gateway>phone browser>gateway gateway>browser"; got != want {
		t.Errorf("the arrows are %s, want %s", got, want)
	}
	if who := f.state().Accounts[0].Asked; who == nil || who.Browser != "Chrome on Windows" || who.Address != "127.0.0.*" || f.browser(scanning).Scan != "scanned" {
		t.Errorf("the phone shows %+v", who)
	}
	if a := f.do("decide", alice(command{On: true, Number: "0000"})); a.Status != http.StatusBadRequest || a.Code != "wrong_number" || f.browser(scanning).Cookie || f.state().Accounts[0].Asked == nil {
		t.Errorf("a wrong number: %+v", a)
	}
	a = f.do("decide", alice(command{On: true, Number: fakeNumber}))
	if got, want := arrows(f.messages(a.ID)), "phone>gateway gateway>phone browser>gateway gateway>browser browser>gateway gateway>browser browser>gateway gateway>upstream upstream>gateway gateway>browser"; got != want {
		t.Errorf("the arrows are %s, want %s", got, want)
	}
	if w := f.browser(scanning); a.Status != http.StatusOK || w.Shows != showsPage || !w.Cookie || f.state().Accounts[0].Asked != nil {
		t.Errorf("%+v, it shows %+v", a, w)
	}
	f.secretless()
}

// TestScanRefused: the browser shows it, and gets no session.
func TestScanRefused(t *testing.T) {
	f := newFixture(t)
	f.do("login", alice(command{}))
	f.do("visit", alice(command{Door: scanning}))
	f.do("scan", alice(command{}))
	if a := f.do("decide", alice(command{})); a.Status != http.StatusOK || !strings.Contains(f.messages(a.ID)[0].Body, `"confirm":false`) {
		t.Errorf("%+v", a)
	}
	if w := f.browser(scanning); w.Scan != "refused" || w.Cookie {
		t.Errorf("it shows %+v", w)
	}
}

// TestScanOfRealBrowser: the phone confirms the code of a browser that is not the page's.
func TestScanOfRealBrowser(t *testing.T) {
	f := newFixture(t)
	f.do("login", alice(command{}))
	f.do("visit", alice(command{Door: scanning}))
	f.update(func() { f.windows = map[windowKey]*window{} }) // the code stays
	f.do("scan", alice(command{}))
	a := f.do("decide", alice(command{On: true, Number: fakeNumber}))
	if got := arrows(f.messages(a.ID)); a.Status != http.StatusOK || got != "phone>gateway gateway>phone" {
		t.Errorf("%+v: %s", a, got)
	}
}

// TestEndPerson: the operator ends a person's sessions by the unionid, which is the same in
// every app.
func TestEndPerson(t *testing.T) {
	f := newFixture(t)
	if a := f.do("end-person", command{User: "alice"}); a.Status != http.StatusOK || !strings.Contains(a.Curl, "/wxgate/user/logout") {
		t.Errorf("%+v", a)
	}
	if want := []string{`/wxgate/user/logout {"app":"` + wechatsim.DefaultApp.ID + `","unionid":"union-alice"}`}; !slices.Equal(f.admin, want) {
		t.Errorf("the admin API got %q, want %q", f.admin, want)
	}
	persons := map[string]string{}
	for _, u := range f.Users() {
		if persons[u.Name] == "" {
			persons[u.Name] = u.UnionID
		}
		if persons[u.Name] != u.UnionID {
			t.Errorf("%+v is not %s", u, persons[u.Name])
		}
	}
	if len(persons) != len(users) || len(f.Users()) != 4*len(users) {
		t.Errorf("the users are %v", f.Users())
	}
}

// TestBadDoors: what the page cannot have sent does nothing.
func TestBadDoors(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]command{
		"visit": {User: "alice", Door: "back"}, "allow": {User: "mallory", Door: official}, "leave": {User: "alice"},
		"go-on": {User: "alice", Door: "window"}, "scan": {User: "mallory"}, "decide": {App: "wx9"}, "end-person": {User: "mallory"},
	} {
		a := f.do(name, c)
		if a.Error == "" || len(f.messages(a.ID)) != 0 {
			t.Errorf("%s %+v: %+v", name, c, a)
		}
	}
}

// TestElsewhere: a browser does not follow a redirect to another host.
func TestElsewhere(t *testing.T) {
	f := newFixture(t)
	other := serve(t, http.RedirectHandler("http://127.0.0.2:1/", http.StatusSeeOther))
	f.config.Gateway = other.URL
	if a := f.do("visit", alice(command{Door: official})); !strings.HasPrefix(a.Error, errElsewhere.Error()) {
		t.Errorf("%+v", a)
	}
	again := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusSeeOther) }))
	f.config.Gateway = again.URL
	if a := f.do("visit", alice(command{Door: official})); a.Error != errRedirects.Error() {
		t.Errorf("%+v", a)
	}
}
