package doors_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/chromium"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// reader is a user who reads a language, with the texts of the pages in it.
type reader struct {
	language, lang                     string
	scan, scanned, refused, continueAs string
	failed, retry                      string
}

var readers = []reader{
	{
		"en", "en",
		"Sign in with WeChat", "Scanned. Type the number on your phone.", "The sign-in was refused on the phone.", "Continue as …",
		"The sign-in failed", "Try again",
	},
	{
		"zh-CN,zh", "zh-CN",
		"微信登录", "已扫码，请在手机上输入数字。", "手机上已拒绝此次登录。", "以“…",
		"登录失败", "重试",
	},
}

// TestPages shows the pages of the login in both languages, on a PC and on a phone.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.phoneLogin(alice, unionid)
	for _, r := range readers {
		for width, k := range map[string]kind{"PC": onPC, "phone": onAndroid} {
			t.Run(r.lang+" "+width, func(t *testing.T) {
				t.Parallel()
				w := w.in(t)
				w.showsScan(p.in(w), r, k)
				w.showsErrors(r, k)
				w.showsContinue(p.in(w), r, k)
			})
		}
	}
}

// in returns the world for a subtest.
func (w *world) in(t *testing.T) *world {
	return &world{t: t, sim: w.sim, upstream: w.upstream, origin: w.origin, machines: w.machines, noted: w.noted}
}

// in returns the phone for a subtest.
func (p *phone) in(w *world) *phone { return &phone{w, p.agent, p.token} }

// awaitText waits until an element contains a text.
func (b *tab) awaitText(selector, text string) {
	b.w.t.Helper()
	b.Wait(`[...document.querySelectorAll(` + strconv.Quote(selector) + `)].some(e => e.textContent.includes(` + strconv.Quote(text) + `))`)
}

// showsScan refuses one code on the phone and confirms the next.
func (w *world) showsScan(p *phone, r reader, k kind) {
	w.t.Helper()
	b := w.browser(k, r.language)
	b.open(pub + "/web/login?door=scan&return=/orders")
	b.awaitText("h1", r.scan)
	scan := p.scan(b)
	b.looks("scan", r.lang)
	p.asker(scan)
	b.awaitText("#wxgate-status", r.scanned)
	b.looks("scan-scanned", r.lang)
	p.refuse(scan)
	b.awaitText("#wxgate-status", r.refused)
	b.looks("scan-refused", r.lang)
	if b.session() != "" {
		w.t.Error("a refused scan logged the browser in")
	}
	b.click("#wxgate-again")
	second := p.scan(b)
	if second == scan {
		w.t.Error("the second code is the same as the first")
	}
	p.asker(second)
	p.confirm(second, b)
	b.arrives(w.origin + "/orders")
}

// showsErrors causes each error that users can see.
func (w *world) showsErrors(r reader, k kind) {
	w.t.Helper()
	b := w.browser(k, r.language)
	shows := func(code string) {
		w.t.Helper()
		b.awaitText("dd", code)
		b.awaitText("h1", r.failed)
		b.looks("error-"+code, r.lang)
		if b.session() != "" {
			w.t.Errorf("%s: the browser is logged in", code)
		}
	}
	// A state of no login.
	b.open(pub + "/web/callback?code=0a1b2c3d4e5f60718293a4b5c6d7e8f9&state=" + strings.Repeat("ab", 16))
	shows("login_state_invalid")
	b.awaitText("a.button", r.retry)
	b.click("a.button")
	b.awaitText("h1", r.scan)

	b.open(pub + "/web/enter?ticket=wxt_" + strings.Repeat("x", 43) + "&return=/orders")
	shows("ticket_invalid")

	// A snapshot has a virtual user.
	b.open(pub + "/web/login?door=official&return=/orders%3Fafter%3Dretry")
	b.Wait(`document.readyState === "complete" && location.pathname === "/connect/oauth2/authorize"`)
	b.Run(`document.querySelector('a[href*="snapshot=1"]').click()`)
	shows("snapshot_user")

	// The user declined.
	b.open(pub + "/web/login?door=official&return=/orders%3Fafter%3Dretry")
	b.Wait(`document.readyState === "complete" && location.pathname === "/connect/oauth2/authorize"`)
	state := chromium.Value[string](b.Tab, `new URL(location).searchParams.get("state")`)
	b.open(pub + "/web/callback?state=" + state)
	shows("forbidden")
	if got := chromium.Value[string](b.Tab, `document.querySelector("a.button").href`); !strings.Contains(got, url.QueryEscape("/orders?after=retry")) {
		w.t.Errorf("the button leads to %s", got)
	}
}

// showsContinue opens a ticket in a browser other than the web-view: the page asks the user.
func (w *world) showsContinue(p *phone, r reader, k kind) {
	w.t.Helper()
	openid := wechatsim.OpenIDFor(program.ID, alice)
	b := w.browser(k, r.language)
	asks := func() {
		w.t.Helper()
		b.awaitText("h1", r.continueAs+openid[len(openid)-4:])
		b.looks("continue", r.lang)
	}
	// The user does not continue: nothing has changed, and the ticket is still valid.
	page := p.ticket("/orders?continued")
	b.visit(page)
	asks()
	b.visit("about:blank")
	if b.session() != "" {
		w.t.Error("a page that only asks logged the browser in")
	}
	b.visit(page)
	asks()
	b.click("form button")
	b.arrives(w.origin + "/orders?continued")
	if got := b.who()["openid"]; got != openid {
		w.t.Errorf("the user is %q", got)
	}
	// The ticket is spent.
	b.visit(page)
	b.awaitText("dd", "ticket_invalid")

	// In the web-view, a ticket of another user ends the user's session.
	before := b.session()
	bob := w.phoneLogin("bob-"+strings.ToLower(w.t.Name()[len(w.t.Name())-5:]), "")
	b.setKind(inWebView, r.language)
	b.visit(bob.ticket("/orders?bob"))
	b.Wait(`document.querySelector("h1").textContent.includes("…")`)
	b.click("form button")
	b.arrives(w.origin + "/orders?bob")
	if got := b.who()["openid"]; got == openid || got == "" {
		w.t.Errorf("the user is %q", got)
	}
	if status, _ := w.machines[0].get("/orders", http.Header{"Cookie": {b.cookie + "=" + before}}); status != http.StatusUnauthorized {
		w.t.Errorf("the earlier session: %d", status)
	}
}

// expires makes Redis delete a scan, as it does after two minutes.
func (w *world) expires() {
	w.t.Helper()
	b := w.browser(onPC, "en")
	b.open(pub + "/web/login?door=scan&return=/orders%3Fexpired")
	p := w.phoneLogin("bob", "")
	scan := p.scan(b)
	id := sha256.Sum256([]byte("web scan\x00" + scan))
	_, port, _ := net.SplitHostPort(w.redis)
	out, err := exec.Command("redis-cli", "-p", port, "eval", `
		local keys = redis.call("keys", "*" .. ARGV[1] .. "*")
		for _, key in ipairs(keys) do redis.call("pexpire", key, 1) end
		return #keys`, "0", base64.RawURLEncoding.EncodeToString(id[:])).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "1" {
		w.t.Fatalf("%v: Redis has %s scans", err, out)
	}
	b.awaitText("#wxgate-status", "The code has expired.")
	b.looks("scan-expired", "en")
	p.call(http.MethodGet, "/web/scan/"+scan+"/request", nil, http.StatusNotFound, nil)
	b.click("#wxgate-again")
	scan = p.scan(b)
	p.asker(scan)
	p.confirm(scan, b)
	b.arrives(w.origin + "/orders?expired")
}
