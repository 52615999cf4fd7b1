package doors_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/chromium"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

// victim opens a browser and logs alice in.
func (w *world) victim(k kind) *tab {
	w.t.Helper()
	b := w.browser(k, "en")
	b.open("/orders?victim")
	b.picks(alice)
	b.arrives(w.origin + "/orders?victim")
	b.session()
	return b
}

// TestAttacks opens the attackers' pages in the browser of a victim: no attack succeeds.
func TestAttacks(t *testing.T) {
	t.Parallel()
	eachAttacker(t, func(w *world, a attacker) {
		mallory := w.phoneLogin("mallory", "")
		b := w.victim(onPhone)
		w.forges(a, b)
		w.frames(a, b, mallory)
		w.sendsTicket(a, b, mallory)
		w.sendsCallback(a, b)
		if got := b.session(); got == "" {
			w.t.Error("the victim is no longer logged in")
		}
		if b.open("/orders"); b.who()["openid"] != wechatsim.OpenIDFor(official.ID, alice) {
			w.t.Errorf("the victim is %v", b.who())
		}
	})
}

// forges opens a page that sends requests to the site (CSRF, cross-site WebSocket hijacking).
func (w *world) forges(a attacker, b *tab) {
	w.t.Helper()
	at := "/orders?by=" + url.QueryEscape(w.t.Name())
	// The site's own page may send these requests.
	b.Run(`window.status_ = 0; fetch(` + strconv.Quote(at+"&own") + `, {method: "POST"}).then(r => window.status_ = r.status)`)
	b.Wait(`window.status_ === 200`)
	socket := "/socket?by=" + url.QueryEscape(w.t.Name())
	b.watches("socket", strings.TrimPrefix(socket, "/socket"))

	form := func(action string) string {
		return `<form method="post" action="` + strings.ReplaceAll(action, "&", "&amp;") + `"><input name="a" value="b"></form><script>document.forms[0].submit()</script>`
	}
	for _, path := range []string{at + "&form", pub + "/web/logout", pub + "/web/scan"} {
		b.visit(a.page(a.host, form(w.origin+path)))
		b.Wait(`location.origin === ` + strconv.Quote(w.origin) + ` && document.readyState === "complete"`)
		want := a.status
		if path != at+"&form" {
			want = "cross_site" // these calls check the origin also without a cookie
		}
		if text := chromium.Value[string](b.Tab, `document.body.innerText`); !strings.Contains(text, want) {
			w.t.Errorf("%s: the response to the form is %s, want %s", path, text, want)
		}
	}

	b.visit(a.page(a.host, `<script>
		window.done = [];
		const note = name => value => window.done.push(name + " " + value);
		const send = (name, options) => fetch(`+strconv.Quote(w.origin+at)+` + "&" + name, {credentials: "include", ...options})
			.then(r => r.type === "opaque" ? "opaque" : r.text()).catch(() => "failed").then(note(name));
		send("read", {});
		send("post", {method: "POST", mode: "no-cors", body: "a=b"});
		send("json", {method: "POST", body: "{}", headers: {"Content-Type": "application/json"}});
		send("delete", {method: "DELETE"});
		const socket = new WebSocket(`+strconv.Quote(strings.Replace(w.origin, "http", "ws", 1)+socket)+`);
		socket.onopen = () => note("socket")("opened");
		socket.onerror = () => note("socket")("failed");
	</script>`))
	b.Wait(`window.done.length === 5`)
	want := "delete failed,json failed,post opaque,read failed,socket failed"
	if got := chromium.Value[string](b.Tab, `window.done.sort().join()`); got != want {
		w.t.Errorf("the attacker's page received %q, want %q", got, want)
	}
	for _, kind := range []string{"form", "post", "json", "delete"} {
		if got := w.upstream.got(at + "&" + kind); len(got) != 0 {
			w.t.Errorf("%s: the upstream received %v", kind, got)
		}
	}
	if got := w.upstream.got(at + "&own"); len(got) != 1 {
		w.t.Errorf("the upstream received %d requests of the site's own page, want 1", len(got))
	}
	if got := w.upstream.got(socket); len(got) != 1 {
		w.t.Errorf("the upstream received %d WebSockets, want only that of the site's own page", len(got))
	}
	b.Forgive("has been blocked by CORS policy")
	b.Forgive("WebSocket connection to")
}

// frames opens a page that shows the pages of the login in frames, to capture the user's clicks
// (clickjacking), and that loads a ticket in every way except a visit.
func (w *world) frames(a attacker, b *tab, mallory *phone) {
	w.t.Helper()
	before := b.session()
	ticket := mallory.ticket("/orders?framed")
	b.visit(a.page(a.host, `<script>
		const scan = `+strconv.Quote(w.origin+pub+"/web/login?door=scan")+`, enter = `+strconv.Quote(ticket)+`;
		window.loaded = 0;
		for (const src of [scan, enter]) {
			const frame = document.createElement("iframe");
			frame.onload = () => window.loaded++;
			frame.src = src;
			document.body.append(frame);
		}
		const image = new Image();
		image.onerror = () => window.loaded++;
		image.src = enter;
		const style = document.createElement("link");
		style.rel = "stylesheet";
		style.onerror = () => window.loaded++;
		style.href = enter;
		document.head.append(style);
		fetch(enter, {credentials: "include", mode: "no-cors"}).catch(() => window.loaded++); // Cross-Origin-Resource-Policy: same-origin
	</script>`))
	b.Wait(`window.loaded === 5`)
	if n := b.Forgive("frame-ancestors"); n != 2 {
		w.t.Errorf("the browser refused %d frames, want 2", n)
	}
	if got := b.session(); got != before {
		w.t.Error("a ticket in a frame or a picture changed the session")
	}
	if got := w.upstream.got("/orders?framed"); len(got) != 0 {
		w.t.Errorf("the upstream received %v", got)
	}
}

// sendsTicket sends the victim to the site with a ticket of the attacker, to log the victim in as
// the attacker's user (session fixation). The gateway asks the victim first.
func (w *world) sendsTicket(a attacker, b *tab, mallory *phone) {
	w.t.Helper()
	before := b.session()
	visits := func(b *tab) {
		w.t.Helper()
		b.visit(a.page(a.host, `<script>location = `+strconv.Quote(mallory.ticket("/orders?sent"))+`</script>`))
		b.Wait(`document.querySelector("h1")?.textContent.startsWith("Continue as …")`)
	}
	visits(b)
	if got := b.session(); got != before {
		w.t.Error("the victim's session has changed")
	}
	// A victim who is not logged in, on a phone like the attacker's, in the same network.
	other := w.browser(inWebView, "en")
	visits(other)
	if other.session() != "" {
		w.t.Error("the victim is logged in as the attacker")
	}
	if got := w.upstream.got("/orders?sent"); len(got) != 0 {
		w.t.Errorf("the upstream received %v", got)
	}
}

// sendsCallback sends the victim to the callback URL of a login that the attacker began (login
// CSRF), with an unused code.
func (w *world) sendsCallback(a attacker, b *tab) {
	w.t.Helper()
	before := b.session()
	for name, victim := range map[string]*tab{"logged in": b, "not logged in": w.browser(onPC, "en"), "about to log in": w.browser(onPhone, "en")} {
		if name == "about to log in" {
			victim.open("/orders?own")
			victim.Wait(`location.pathname === "/connect/oauth2/authorize"`)
		}
		victim.visit(a.page(a.host, `<script>location = `+strconv.Quote(w.callback())+`</script>`))
		victim.awaitText("dd", "login_state_invalid")
		if got := victim.session(); got != "" && victim != b || got != before && victim == b {
			w.t.Errorf("%s: the session has changed", name)
		}
	}
}

// callback returns the callback URL of a login that the attacker began in another browser.
func (w *world) callback() string {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodGet, w.origin+pub+"/web/login?door=official&return=/orders%3Fcsrf", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	page := w.location(r)
	if r, err = http.NewRequest(http.MethodGet, simweb.As(page, "mallory"), nil); err != nil {
		w.t.Fatal(err)
	}
	to := w.location(r)
	w.noteURL(to)
	return to
}

// location sends a request and returns the Location of the response.
func (w *world) location(r *http.Request) string {
	w.t.Helper()
	response, err := clients.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = response.Body.Close()
	to := response.Header.Get("Location")
	if to == "" {
		w.t.Fatalf("%s: %s", r.URL, response.Status)
	}
	return to
}

// TestCookieTossing: a sibling host sets cookies for the site.
func TestCookieTossing(t *testing.T) {
	t.Parallel()
	w := newTLSWorld(t)
	e := startEvil(w)
	stolen := w.malloryCookie()
	tossed := []string{
		"tossed=1; Domain=wxgate.localhost; Path=/; Secure",
		"__Host-wxgate=" + stolen + "; Domain=wxgate.localhost; Path=/; Secure",
		"__Host-wxgate=" + stolen + "; Domain=wxgate.localhost; Path=/orders; Secure",
		"__Host-wxgate=" + stolen + "; Path=/; Secure",
		"__host-wxgate=" + stolen + "; Domain=wxgate.localhost; Path=/; Secure",
		"=__Host-wxgate=" + stolen + "; Domain=wxgate.localhost; Path=/; Secure",
	}
	page := e.page("evil.wxgate.localhost", `<script>for (const c of `+quoteAll(tossed)+`) document.cookie = c</script>`, tossed...)
	b := w.victim(onPhone)
	before := b.session()
	b.visit(page)
	b.open("/orders?tossed")
	if got := b.who()["openid"]; got != wechatsim.OpenIDFor(official.ID, alice) || b.session() != before {
		t.Errorf("the victim is %q", got)
	}
	got := w.upstream.got("/orders?tossed")
	if len(got) != 1 || !strings.Contains(got[0].header.Get("Cookie"), "tossed=1") {
		t.Errorf("the browser accepts no cookie of a sibling: %v", got)
	}
	// A victim who was not logged in is not logged in as the attacker either.
	b = w.browser(onPhone, "en")
	b.visit(page)
	b.open("/orders?fixed")
	b.picks(alice)
	b.arrives(w.origin + "/orders?fixed")
	if got := b.who()["openid"]; got != wechatsim.OpenIDFor(official.ID, alice) {
		t.Errorf("the victim is %q", got)
	}
}

// TestCookieOfPort: another port of the host sets the cookie, whose name has no prefix that
// protects it without TLS. A request with two cookies is refused.
func TestCookieOfPort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := startEvil(w)
	b := w.victim(onPhone)
	b.visit(e.page("127.0.0.1", "", "wxgate="+w.malloryCookie()+"; Path=/orders"))
	b.open("/orders?tossed")
	if text := chromium.Value[string](b.Tab, `document.body.innerText`); !strings.Contains(text, "Send one access token, in one place.") {
		t.Errorf("the victim gets %s", text)
	}
	if got := w.upstream.got("/orders?tossed"); len(got) != 0 {
		t.Errorf("the upstream received %v", got)
	}
}

// malloryCookie returns the session cookie of the attacker's browser.
func (w *world) malloryCookie() string {
	w.t.Helper()
	b := w.browser(inWebView, "en")
	b.visit(w.phoneLogin("mallory", "").ticket("/orders?mallory"))
	b.arrives(w.origin + "/orders?mallory")
	return b.session()
}

// returns are URLs of another site that some parsers read as a path of this site.
var returns = []string{
	"//evil.localhost", "///evil.localhost", "////evil.localhost", `/\evil.localhost`, `\\evil.localhost`, `/\/evil.localhost`, "/\t/evil.localhost", "/\n/evil.localhost", "\t//evil.localhost",
	"/%09/evil.localhost", "/%5Cevil.localhost", "/%2Fevil.localhost", "/.//evil.localhost", "/..//evil.localhost", "/a/..//evil.localhost", "/%2e%2e//evil.localhost", "/;@evil.localhost", "/@evil.localhost",
	"http:evil.localhost", "https:/evil.localhost", "http:///evil.localhost", "HTTP://evil.localhost", "javascript:alert(1)", "data:text/html,evil", " //evil.localhost", "evil.localhost", ".evil.localhost", "@evil.localhost", ":@evil.localhost",
	"<site>@evil.localhost", "<site>.evil.localhost", "<site>:evil.localhost", `<site>\@evil.localhost`, "<site>/@evil.localhost", "<site>//evil.localhost", "<site>#@evil.localhost", "<site>?@evil.localhost", "<site>%2f@evil.localhost", "<site>/\\evil.localhost",
	"/／evil.localhost", "//evil。localhost", "/\u2028/evil.localhost", "/\x00/evil.localhost",
}

// TestOpenRedirect uses each of these as the page after a login in Chromium: the browser stays
// on the site.
func TestOpenRedirect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.phoneLogin(alice, unionid)
	b := w.browser(inWebView, "en")
	stayed, refused := 0, 0
	for _, text := range returns {
		b.visit(p.ticket(strings.ReplaceAll(text, "<site>", w.origin)))
		switch at := chromium.Value[string](b.Tab, `location.origin`); {
		case at != w.origin:
			t.Errorf("%q: the browser is at %s", text, at)
		case chromium.Value[string](b.Tab, `location.pathname`) == pub+"/web/enter":
			b.awaitText("dd", "invalid_request")
			refused++
		default:
			stayed++ // at a page of the site, or at a path that the site refuses
		}
	}
	if stayed == 0 || refused == 0 {
		t.Errorf("%d spellings are paths, and %d were refused", stayed, refused)
	}
	t.Logf("%d spellings are paths, and %d were refused", stayed, refused)
}
