package browsers

import (
	"strings"

	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

// pathLines returns request targets that some servers read as a call of the login, below the
// path of such calls. The gateway must not serve the call, and the upstream must not get the
// target: it contains a code or a ticket, and the upstream may read it as another path.
func pathLines(t *corpus.Target, call, query string) map[string]string {
	folder, last := t.Browsers, t.Browsers[strings.LastIndexByte(t.Browsers, '/')+1:]
	parent := strings.TrimSuffix(folder, last) // ends in a slash
	plain := folder + "/" + call
	upper := strings.ToUpper(last)
	lines := map[string]string{
		"dots": folder + "/../" + last + "/" + call, "dots-before": "/x/.." + plain, "dot": folder + "/./" + call, "double-slash": "/" + plain,
		"double-slash-inside": folder + "//" + call, "double-slash-parent": parent + "/" + last + "/" + call, "trailing-slash": plain + "/",
		"encoded-dots": folder + "/%2e%2e/" + last + "/" + call, "encoded-slash": folder + "%2f" + call, "encoded-slash-upper": folder + "%2F" + call, "encoded-slash-parent": strings.TrimSuffix(parent, "/") + "%2f" + last + "/" + call,
		"encoded-letter": folder + "/%" + hex(call[0]) + call[1:], "encoded-letter-parent": parent + "%" + hex(last[0]) + last[1:] + "/" + call, "double-encoded": folder + "/%25" + hex(call[0]) + call[1:],
		"semicolon": plain + ";x", "semicolon-inside": folder + ";x/" + call, "semicolon-dots": folder + "/..;/" + last + "/" + call, "backslash": folder + `\` + call, "backslash-encoded": folder + "%5c" + call,
		"backslash-dots": folder + `/..\` + last + "/" + call, "nul": plain + "%00", "space": plain + "%20", "newline": plain + "%0a", "fragment-encoded": plain + "%23",
		"query-encoded": plain + "%3f", "from-public": t.Public + ".." + plain, "from-public-semicolon": t.Public + "..;" + plain, "fullwidth": folder + "／" + call, "overlong": folder + "%c0%af" + call,
		"upper-folder": parent + upper + "/" + call, "upper-call": folder + "/" + strings.ToUpper(call),
	}
	for id, line := range lines {
		lines[id] = line + query
	}
	return lines
}

func hex(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&0xf]})
}

// pathAttacks: a ticket or a code at a path that only looks like the call's.
func pathAttacks(t *corpus.Target) []corpus.Attack {
	var out []corpus.Attack
	add := adder(callsMechanism, &out)
	again := get(enter(t, "/"))
	for id, line := range pathLines(t, "enter", "?ticket={ticket}&return=/") {
		a := add("path-enter-"+id, get(line), spentOrServed, enters, closed)
		a.After, a.Advisories = &again, []string{"CVE-2026-33494"}
	}
	for id, line := range pathLines(t, "callback", "?code=x&state=00000000000000000000000000000000") {
		add("path-callback-"+id, get(line, session, site), servedCall, asks).Advisories = []string{"CVE-2026-33494"}
	}
	for id, target := range map[string]string{
		"host": "http://{host}", "https": "https://{host}", "other-host": "http://" + evil, "upper-scheme": "HTTP://{host}", "userinfo": "http://a@{host}",
	} {
		// A request in absolute form is the same request: the call is made, or refused.
		add("absolute-"+id, raw("GET", target+t.Browsers+"/callback?code=x&state=0", "Cookie: {cookie}"), servedCall, asks).Advisories = []string{"RFC 9112 section 3.2.2"}
		add("absolute-guarded-"+id, raw("GET", target+t.Guarded+"absolute", "Cookie: {cookie}", "X-WX-OPENID: {victim}"), impersonated, closed).Advisories = []string{"RFC 9112 section 3.2.2"}
	}
	for _, name := range []string{"X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Prefix"} {
		a := add("path-header-"+strings.ToLower(name), get(t.Public+"x", field(name, t.Browsers+"/enter?ticket={ticket}&return=/")), spent, public, enters)
		a.After, a.Advisories = &again, []string{"CVE-2018-14773"}
	}
	return out
}

// visitAttacks: requests that are not visits of a page, and credentials that are made up or
// were used before.
func visitAttacks(t *corpus.Target) []corpus.Attack {
	var out []corpus.Attack
	add := adder(callsMechanism, &out)
	again := get(enter(t, "/"))
	keeps := func(id string, r wire.Request) {
		add(id, r, spent, enters).After = &again
	}
	for _, dest := range []string{"image", "iframe", "frame", "embed", "object", "script", "empty", "style"} {
		keeps("enter-as-"+dest, get(enter(t, "/"), field("Sec-Fetch-Dest", dest), field("Sec-Fetch-Site", "cross-site")))
	}
	keeps("enter-prefetch", get(enter(t, "/"), field("Sec-Purpose", "prefetch")))
	keeps("enter-prerender", get(enter(t, "/"), field("Sec-Purpose", "prefetch;prerender")))
	keeps("enter-old-prefetch", get(enter(t, "/"), field("Purpose", "prefetch")))
	keeps("enter-head", wire.Request{Method: "HEAD", Path: enter(t, "/")})
	keeps("enter-other-device", get(enter(t, "/"), field("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)")))
	keeps("enter-two-tickets", get(enter(t, "/")+"&ticket=wxt_x"))
	keeps("enter-two-returns", get(enter(t, "/")+"&return=/x"))
	form := func(header ...wire.Field) wire.Request {
		header = append([]wire.Field{field("Content-Type", "application/x-www-form-urlencoded")}, header...)
		return wire.Request{Method: "POST", Path: t.Browsers + "/enter", Header: header, Body: "ticket={ticket}&return=%2F"}
	}
	for id, header := range sources() {
		if applies(t, id) {
			keeps("enter-form-"+id, form(header...))
		}
	}
	twice := add("enter-twice", get(enter(t, "/")), logsIn, enters)
	twice.Before = []wire.Request{get(enter(t, "/"))}
	add("enter-made-up", get(t.Browsers+"/enter?ticket=wxt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&return=/"), logsIn, enters)
	add("enter-cookie-as-ticket", get(t.Browsers+"/enter?ticket={cookie-value}&return=/"), logsIn, enters)
	const made = "00000000000000000000000000000000"
	for id, query := range map[string]string{
		"made-up": "?code=x&state=" + made, "no-state": "?code=x", "two-states": "?code=x&state=" + made + "&state=" + made, "state-as-code": "?code=" + made + "&state=", "short-state": "?code=x&state=0",
	} {
		add("callback-"+id, get(t.Browsers+"/callback"+query), logsIn, asks)
		add("callback-with-login-"+id, get(t.Browsers+"/callback"+query, field("Cookie", cookieName+"-login-00000000=x; "+cookieName+"-login-="+made)), logsIn, asks)
	}
	add("ticket-anonymous", wire.Request{Method: "POST", Path: t.Browsers + "/ticket", Header: []wire.Field{site}}, grantsTicket, enters)
	return out
}

// responseAttacks check the headers of a response with a credential: caches, other pages and
// scripts must not get it.
func responseAttacks(t *corpus.Target) []corpus.Attack {
	var out []corpus.Attack
	add := adder(callsMechanism, &out)
	add("enter-cacheable", get(enter(t, "/")), cacheable, enters).Advisories = []string{"RFC 9111 section 5.2.2.5"}
	add("enter-referrer", get(enter(t, "/")), refers, enters).Advisories = []string{"RFC 9700 section 4.2.4"}
	add("enter-cookie-flags", get(enter(t, "/")), weakCookie, enters).Advisories = []string{"RFC 6265 section 8.2"}
	add("enter-forwarded-http", get(enter(t, "/"), field("X-Forwarded-Proto", "http"), field("X-Forwarded-Ssl", "off")), weakCookie, enters)
	add("login-cacheable", get(login(t, "/")), cacheable, asks)
	add("login-framed", get(login(t, "/")), framed, asks)
	add("login-cookie-flags", get(login(t, "/")), weakCookie, asks)
	add("ticket-cacheable", wire.Request{Method: "POST", Path: t.Browsers + "/ticket", Header: []wire.Field{field("Authorization", "Bearer {token}")}}, cacheable, enters)
	// The confirmation page is for a browser that may not belong to the ticket's user: it must
	// not be framed.
	add("enter-page-framed", get(enter(t, "/"), field("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)")), framed, enters)
	add("callback-page-framed", get(t.Browsers+"/callback?code=x&state=0", field("Sec-Fetch-Mode", "navigate")), framed, asks)
	return out
}
