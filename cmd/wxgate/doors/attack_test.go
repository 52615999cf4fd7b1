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

// victim is a browser that alice is logged in with.
func (w *world) victim(k kind) *tab {
	w.t.Helper()
	b := w.browser(k, "en")
	b.open("/orders?victim")
	b.picks(alice)
	b.arrives(w.origin + "/orders?victim")
	b.session()
	return b
}

// TestAttacks has pages of attackers do what they can in the browser of a victim.
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

// forges has a page send requests to the site (CSRF, cross-site WebSocket hijacking).
func (w *world) forges(a attacker, b *tab) {
	w.t.Helper()
	at := "/orders?by=" + url.QueryEscape(w.t.Name())
	// The page of the site may do all of this.
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
			want = "cross_site" // these calls check the origin with no cookie too
		}
		if text := chromium.Value[string](b.Tab, `document.body.innerText`); !strings.Contains(text, want) {
			w.t.Errorf("%s: the form got %s, want %s", path, text, want)
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
		w.t.Errorf("the attacker's page got %q, want %q", got, want)
	}
	for _, kind := range []string{"form", "post", "json", "delete"} {
		if got := w.upstream.got(at + "&" + kind); len(got) != 0 {
			w.t.Errorf("%s: the upstream got %v", kind, got)
		}
	}
	if got := w.upstream.got(at + "&own"); len(got) != 1 {
		w.t.Errorf("the upstream got %d requests of the site itself, want 1", len(got))
	}
	if got := w.upstream.got(socket); len(got) != 1 {
		w.t.Errorf("the upstream got %d WebSockets, want that of the site", len(got))
	}
	b.Forgive("has been blocked by CORS policy")
	b.Forgive("WebSocket connection to")
}

// frames has a page show the pages of the login in frames, which could take clicks of the
// user (clickjacking), and load a ticket in every way but a visit.
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
		fetch(enter, {credentials: "include", mode: "no-cors"}).catch(() => window.loaded++); // its policy is same-origin
	</script>`))
	b.Wait(`window.loaded === 5`)
	if n := b.Forgive("frame-ancestors"); n != 2 {
		w.t.Errorf("the browser refused %d frames, want 2", n)
	}
	if got := b.session(); got != before {
		w.t.Error("a ticket in a frame or a picture changed the session")
	}
	if got := w.upstream.got("/orders?framed"); len(got) != 0 {
		w.t.Errorf("the upstream got %v", got)
	}
}

// sendsTicket sends the victim to the site with a ticket of the attacker's, to use it as the
// attacker's user. The gateway asks.
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
		w.t.Errorf("the upstream got %v", got)
	}
}

// sendsCallback sends the victim to the site with the end of a login that the attacker began
// (login CSRF), with the code in it not used.
func (w *world) sendsCallback(a attacker, b *tab) {
	w.t.Helper()
	before := b.session()
	for name, victim := range map[string]*tab{"logged in": b, "not logged in": w.browser(onPC, "en"), "about to log in": w.browser(onPhone, "en")} {
		if name == "about to log in" {
			victim.open("/orders?own")
			victim.Wait(`location.pathname === "/connect/oauth2/authorize"`)
		}
		victim.visit(a.page(a.host, `<script>location = `+strconv.Quote(w.callback())+`</script>`))
		victim.says("dd", "login_state_invalid")
		if got := victim.session(); got != "" && victim != b || got != before && victim == b {
			w.t.Errorf("%s: the session has changed", name)
		}
	}
}

// callback returns the URL of the last step of a login, by the attacker's own browser.
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

// location returns where a response sends the client.
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

// TestCookieTossing has a sibling host set cookies for the site.
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
	// A victim who is not logged in is not the attacker either.
	b = w.browser(onPhone, "en")
	b.visit(page)
	b.open("/orders?fixed")
	b.picks(alice)
	b.arrives(w.origin + "/orders?fixed")
	if got := b.who()["openid"]; got != wechatsim.OpenIDFor(official.ID, alice) {
		t.Errorf("the victim is %q", got)
	}
}

// TestCookieOfPort has another port of the host set the cookie, where no prefix protects it:
// two cookies are refused.
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
		t.Errorf("the upstream got %v", got)
	}
}

// malloryCookie returns the session cookie of a browser of the attacker's.
func (w *world) malloryCookie() string {
	w.t.Helper()
	b := w.browser(inWebView, "en")
	b.visit(w.phoneLogin("mallory", "").ticket("/orders?mallory"))
	b.arrives(w.origin + "/orders?mallory")
	return b.session()
}

// returns are spellings of another site that some reader takes for a path of this one.
var returns = []string{
	"//evil.localhost", "///evil.localhost", "////evil.localhost", `/\evil.localhost`, `\\evil.localhost`, `/\/evil.localhost`, "/\t/evil.localhost", "/\n/evil.localhost", "\t//evil.localhost",
	"/%09/evil.localhost", "/%5Cevil.localhost", "/%2Fevil.localhost", "/.//evil.localhost", "/..//evil.localhost", "/a/..//evil.localhost", "/%2e%2e//evil.localhost", "/;@evil.localhost", "/@evil.localhost",
	"http:evil.localhost", "https:/evil.localhost", "http:///evil.localhost", "HTTP://evil.localhost", "javascript:alert(1)", "data:text/html,evil", " //evil.localhost", "evil.localhost", ".evil.localhost", "@evil.localhost", ":@evil.localhost",
	"<site>@evil.localhost", "<site>.evil.localhost", "<site>:evil.localhost", `<site>\@evil.localhost`, "<site>/@evil.localhost", "<site>//evil.localhost", "<site>#@evil.localhost", "<site>?@evil.localhost", "<site>%2f@evil.localhost", "<site>/\\evil.localhost",
	"/／evil.localhost", "//evil。localhost", "/\u2028/evil.localhost", "/\x00/evil.localhost",
}

// TestOpenRedirect has Chromium follow each spelling after a login: it stays on the site.
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
			b.says("dd", "invalid_request")
			refused++
		default:
			stayed++ // at a page of the site, or at one that it refuses
		}
	}
	if stayed == 0 || refused == 0 {
		t.Errorf("%d spellings are paths, and %d were refused", stayed, refused)
	}
	t.Logf("%d spellings are paths, and %d were refused", stayed, refused)
}
