package gateway

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// onPhone logs a user in to the mini program, on the same phone as the web-views of the tests.
func (s *site) onPhone(app wechatsim.App, name string) []string {
	s.t.Helper()
	code, err := s.sim.MintCode(wechatsim.User{App: app.ID, Name: name}, wechatsim.Login{})
	if err != nil {
		s.t.Fatal(err)
	}
	r := s.do(http.MethodPost, pub+"/openId", `{"code":"`+code.Code+`","appid":"`+app.ID+`"}`, "User-Agent", wechatAgent)
	r.want(http.StatusOK, "")
	return []string{"Authorization", "Bearer " + r.get("access_token"), "User-Agent", wechatAgent}
}

// ticket returns the path of a web-view that a mini program opens.
func (s *site) ticket(phone []string) string {
	s.t.Helper()
	r := s.do(http.MethodPost, pub+"/web/ticket", "", phone...)
	r.want(http.StatusOK, "")
	path, ok := strings.CutPrefix(r.get("url"), shop)
	if !ok || !strings.Contains(path, r.get("ticket")) || r.header.Get("Cache-Control") != "no-store" {
		s.t.Errorf("the ticket is %s", r.body)
	}
	return path
}

// wantContinue checks that the response is the confirmation page, and returns the fields of its
// form.
func (v *visitor) wantContinue(what string, r response) url.Values {
	v.t.Helper()
	if r.status != http.StatusOK || !strings.Contains(r.body, `method="post"`) {
		v.t.Errorf("%s: status %d, code %q", what, r.status, v.shown["code"])
	}
	v.wantNoSession(what, r)
	wantPrivate(v.t, what, r)
	form := url.Values{}
	for _, name := range []string{"ticket", "return"} {
		_, rest, _ := strings.Cut(r.body, `name="`+name+`" value="`)
		value, _, _ := strings.Cut(rest, `"`)
		form.Set(name, strings.NewReplacer("&amp;", "&", "&#43;", "+").Replace(value))
	}
	return form
}

func (v *visitor) submit(form url.Values, headers ...string) response {
	v.t.Helper()
	return v.send(http.MethodPost, pub+"/web/enter", form.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

// TestTicket: a web-view on the same phone is logged in at once. Its session ends with the
// session of the mini program.
func TestTicket(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	phone := s.onPhone(first, "alice")
	v := s.visitor(wechatAgent)
	path := s.ticket(phone)
	v.wantSession("the web-view", v.visit(path+"&return=%2Fcart%3Fa%3D1"), shop+"/cart?a=1")
	if s.shown["uri"] != pub+"/web/enter?return=%2Fcart%3Fa%3D1" {
		t.Errorf("the access log has %q", s.shown["uri"])
	}
	v.wantUser("the web-view", openIDOf(first, "alice"))
	v.wantPage("again", v.visit(path), http.StatusBadRequest, "ticket_invalid")
	thief := s.visitor(wechatAgent)
	thief.wantPage("in another browser, used", thief.visit(path), http.StatusBadRequest, "ticket_invalid")
	// A second web-view also has a session, and the end of the first session does not end the
	// session of the mini program.
	v.post(pub+"/web/logout", "").want(http.StatusNoContent, "")
	v.wantUser("logged out", "")
	v.wantSession("a second web-view", v.visit(s.ticket(phone)), shop+"/")
	s.do(http.MethodPost, pub+"/logout", "{}", phone...).want(http.StatusNoContent, "")
	v.wantUser("after the logout of the mini program", "")
	s.do(http.MethodPost, pub+"/web/ticket", "", phone...).want(http.StatusUnauthorized, "session_revoked")
}

// TestTicketLimit: the number of tickets per minute is limited for each user.
func TestTicketLimit(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	const most = 600
	phone := s.onPhone(first, "alice")
	n := 0
	r := s.do(http.MethodPost, pub+"/web/ticket", "", phone...)
	for ; r.status == http.StatusOK && n < 2*most; n++ { // the allowance is partly refilled during the test
		r = s.do(http.MethodPost, pub+"/web/ticket", "", phone...)
	}
	r.want(http.StatusTooManyRequests, "rate_limited")
	if n < most {
		t.Errorf("refused after %d tickets, want %d at least", n, most)
	}
	s.ticket(s.onPhone(first, "bob"))
}

// TestTicketAttacks: each attack ends without a session. Afterwards, the ticket still works in
// its own web-view unless its session has ended.
func TestTicketAttacks(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	phone := s.onPhone(first, "mallory")
	fetches := map[string][]string{
		"in a frame": {"Sec-Fetch-Dest", "iframe"}, "as a picture": {"Sec-Fetch-Dest", "image"}, "by a script": {"Sec-Fetch-Dest", "empty"},
		"by a prefetch": {"Sec-Purpose", "prefetch"}, "by a prerender": {"Sec-Fetch-Dest", "document", "Sec-Purpose", "prefetch;prerender"}, "by an old prefetch": {"Purpose", "prefetch"},
	}
	for name, headers := range fetches {
		path, v := s.ticket(phone), s.visitor(wechatAgent)
		v.wantPage(name, v.send(http.MethodGet, path, "", headers...), http.StatusForbidden, "cross_site")
		v.wantSession(name+", then opened", v.visit(path), shop+"/")
	}
	path, v := s.ticket(phone), s.visitor(wechatAgent)
	v.wantPage("HEAD", v.send(http.MethodHead, path, ""), http.StatusMethodNotAllowed, "invalid_request")
	v.wantPage("to another site", v.visit(path+"&return=%2F%2Fevil.example"), http.StatusBadRequest, "invalid_request")
	v.wantPage("two tickets", v.visit(path+"&ticket=wxt_a"), http.StatusBadRequest, "invalid_request")
	v.wantSession("then opened", v.visit(path), shop+"/")

	for name, guess := range map[string]string{"none": "", "empty": "?ticket=", "a guess": "?ticket=wxt_" + strings.Repeat("A", 43), "a token": "?ticket=" + strings.TrimPrefix(phone[1], "Bearer ")} {
		v := s.visitor(wechatAgent)
		v.wantPage(name, v.visit(pub+"/web/enter"+guess), http.StatusBadRequest, "ticket_invalid")
	}
	ended := s.onPhone(first, "carol")
	path = s.ticket(ended)
	s.do(http.MethodPost, pub+"/logout", `{"all":true}`, ended...).want(http.StatusNoContent, "")
	v = s.visitor(wechatAgent)
	v.wantPage("after a logout", v.visit(path), http.StatusBadRequest, "ticket_invalid")

	foreign := s.ticket(s.onPhone(second, "mallory"))
	delete(s.gateway.Admitted, auth.AppID(second.ID)) // as on another site with the same store
	v = s.visitor(wechatAgent)
	v.enterOfficial("alice")
	v.wantPage("of another site", v.visit(foreign), http.StatusBadRequest, "ticket_invalid")
	_, text, _ := strings.Cut(foreign, "=")
	v.wantPage("of another site, submitted", v.submit(url.Values{"ticket": {text}}, "Origin", shop), http.StatusBadRequest, "ticket_invalid")
	v.wantUser("afterwards", openIDOf(officialApp, "alice"))

	for name, headers := range map[string][]string{"no token": nil, "a refresh token": {"Authorization", "Bearer wxr_" + strings.Repeat("A", 64)}} {
		r := s.do(http.MethodPost, pub+"/web/ticket", "", headers...)
		if r.status != http.StatusUnauthorized {
			t.Errorf("a ticket for %s: status %d", name, r.status)
		}
	}
	v = s.visitor(wechatAgent)
	v.enterOfficial("alice")
	v.post(pub+"/web/ticket", "").want(http.StatusUnauthorized, "missing_token")
	v.post(pub+"/web/ticket", "", phone...).want(http.StatusBadRequest, "invalid_request") // a cookie in addition to a token
}

// TestTicketAsLink: an attacker sends a victim a link with the attacker's ticket. The victim
// gets the confirmation page, which no other page can frame, and whose form no other page can
// submit.
func TestTicketAsLink(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	phone := s.onPhone(first, "mallory")
	victims := map[string]func() *visitor{
		"at another address": func() *visitor { v := s.visitor(wechatAgent); v.address = "198.51.100.7"; return v },
		"on another device":  func() *visitor { return s.visitor(chromeAgent) },
		"logged in":          func() *visitor { v := s.visitor(wechatAgent); v.enterOfficial("alice"); return v },
	}
	for name, newVisitor := range victims {
		path, v := s.ticket(phone), newVisitor()
		before := v.jar[cookie]
		form := v.wantContinue(name, v.visit(path+"&return=%2Fcart%3Fa%3D1%26b%3D2"))
		if form.Get("return") != shop+"/cart?a=1&b=2" || !strings.Contains(path, form.Get("ticket")) || form.Get("ticket") == "" {
			t.Errorf("%s: the form has %v", name, form)
		}
		if v.jar[cookie] != before {
			t.Errorf("%s: the session changed without a click", name)
		}
		for sender, headers := range map[string][]string{
			"no Origin": nil, "another site": {"Origin", "https://evil.example"}, "a sandboxed frame": {"Origin", "null"}, "a sibling host": {"Origin", "https://blog.example.com", "Sec-Fetch-Site", "same-site"},
			"cross-site": {"Sec-Fetch-Site", "cross-site"},
		} {
			r := v.submit(form, headers...)
			v.wantPage(name+", submitted by "+sender, r, http.StatusForbidden, "cross_site")
		}
		elsewhere := url.Values{"ticket": form["ticket"], "return": {"//evil.example"}}
		v.wantPage(name+", to another site", v.submit(elsewhere, "Origin", shop), http.StatusBadRequest, "invalid_request")
		v.wantSession(name+", after a click", v.submit(form, "Origin", shop), shop+"/cart?a=1&b=2")
		v.wantUser(name, openIDOf(first, "mallory"))
		v.wantPage(name+", clicked again", v.submit(form, "Origin", shop), http.StatusBadRequest, "ticket_invalid")
		if before != "" {
			old := s.visitor(wechatAgent)
			old.jar[cookie] = before
			old.wantUser(name+", with the cookie from before", "")
		}
	}
	for _, from := range []string{"cross-site", "same-site"} {
		path, v := s.ticket(phone), s.visitor(wechatAgent)
		form := v.wantContinue("a link, "+from, v.send(http.MethodGet, path, "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", from))
		v.wantSession("a link, "+from+", after a click", v.submit(form, "Origin", shop), shop+"/")
	}
	// The user of the ticket is not asked for confirmation in a second web-view.
	v := s.visitor(wechatAgent)
	v.wantSession("first", v.visit(s.ticket(phone)), shop+"/")
	v.wantSession("second", v.visit(s.ticket(phone)), shop+"/")
}

// TestWebViewStreams: a stream of a web-view ends with the session of its mini program.
func TestWebViewStreams(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	phone := s.onPhone(first, "alice")
	v := s.visitor(wechatAgent)
	v.wantSession("a web-view", v.visit(s.ticket(phone)), shop+"/")
	begun, ended := make(chan struct{}), make(chan bool)
	r := httptest.NewRequest(http.MethodGet, "/events", nil)
	r.Header.Set("Cookie", cookie+"="+v.jar[cookie])
	go func() {
		defer func() { ended <- recover() == http.ErrAbortHandler }() //nolint:errorlint // a panic
		_ = s.gateway.ServeHTTP(httptest.NewRecorder(), r, nextFunc(func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
			close(begun)
			<-r.Context().Done()
			return nil
		}))
	}()
	<-begun
	s.do(http.MethodPost, pub+"/logout", "{}", phone...).want(http.StatusNoContent, "")
	if !<-ended {
		t.Error("the stream was not aborted")
	}
}
