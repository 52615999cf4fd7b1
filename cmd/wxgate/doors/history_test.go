package doors_test

import (
	"strconv"
	"testing"
)

// TestHistory goes back and forward after a login: no request is sent again, and no session
// begins or ends.
func TestHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)

	b := w.victim(onPhone)
	before := b.session()
	b.Run(`history.back()`)
	b.Wait(`location.pathname === "/connect/oauth2/authorize"`)
	b.Run(`history.forward()`)
	b.arrives(w.origin + "/orders?victim")
	if n := b.sentTo("GET", pub+"/web/callback"); n != 1 {
		t.Errorf("the callback was called %d times", n)
	}
	b.Run(`history.back()`)
	b.picks(alice) // with a used state
	b.awaitText("dd", "login_state_invalid")
	if b.session() != before {
		t.Error("a second use of a state changed the session")
	}

	p := w.phoneLogin(alice, unionid)
	b = w.browser(onPC, "en")
	b.visit(p.ticket("/orders?asked"))
	b.click("form button")
	b.arrives(w.origin + "/orders?asked")
	before = b.session()
	b.Run(`history.back()`)
	b.awaitText("dd", "ticket_invalid")
	b.Run(`history.forward()`)
	b.arrives(w.origin + "/orders?asked")
	if n := b.sentTo("POST", pub+"/web/enter"); n != 1 || b.session() != before {
		t.Errorf("the ticket was sent %d times", n)
	}
}

// TestLogoutForgets logs out in the browser: no earlier page is shown again.
func TestLogoutForgets(t *testing.T) {
	t.Parallel()
	w := newTLSWorld(t)
	b := w.victim(onPhone)
	for _, path := range []string{"/orders?first", "/orders?keep", "/orders?last"} {
		b.open(path)
		b.arrives(w.origin + path)
	}
	b.Run(`window.left = 0; fetch(` + strconv.Quote(pub+"/web/logout") + `, {method: "POST"}).then(r => window.left = r.status)`)
	b.Wait(`window.left === 204`)
	if b.session() != "" {
		t.Error("the browser still has the cookie")
	}
	b.Run(`history.go(-1)`)
	b.Wait(`document.readyState === "complete" && document.body.innerText !== "" && !location.href.endsWith("last")`)
	b.isLoggedOut("back")
	for _, path := range []string{"/orders?first", "/orders?keep"} {
		b.open(path)
		b.isLoggedOut(path)
	}
}

// isLoggedOut checks that the browser shows a login, and no earlier page.
func (b *tab) isLoggedOut(after string) {
	b.w.t.Helper()
	if got := b.who()["openid"]; got != "" {
		b.w.t.Errorf("%s: the browser shows the page of %q", after, got)
	}
}
