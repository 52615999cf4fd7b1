package browsers

import (
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

// sources are headers that a request of another site's page may have, or lack. Old browsers
// send no Sec-Fetch-Site, and sandboxed pages send Origin: null.
func sources() map[string][]wire.Field {
	const foreign = "https://" + evil
	origin := func(values ...string) (out []wire.Field) {
		for _, v := range values {
			out = append(out, field("Origin", v))
		}
		return out
	}
	fetch := func(values ...string) (out []wire.Field) {
		for _, v := range values {
			out = append(out, field("Sec-Fetch-Site", v))
		}
		return out
	}
	return map[string][]wire.Field{
		"nothing": nil, "foreign": origin(foreign), "null": origin("null"), "empty": origin(""), "other-scheme": origin("http://" + evil),
		"suffix": origin("{origin}." + evil), "userinfo": origin("{origin}@" + evil), "fragment": origin(foreign + "#{origin}"), "query": origin(foreign + "?{origin}"),
		"path": origin(foreign + "/{origin}"), "slash": origin("{origin}/"), "other-port": origin("{origin}1"), "list": origin("{origin}, " + foreign), "list-last": origin(foreign + ", {origin}"),
		"space-list": origin("{origin} " + foreign), "list-same": origin("{origin}, {origin}"), "file": origin("file://"), "star": origin("*"), "upper": origin("HTTPS://" + strings.ToUpper(evil)),
		"two-good-first": origin("{origin}", foreign), "two-good-last": origin(foreign, "{origin}"), "two-same": origin("{origin}", "{origin}"), "two-null": origin("null", "{origin}"),
		"sibling": origin("https://other.localhost"), "extension": origin("chrome-extension://abcdefghijklmnopabcdefghijklmnop"),
		"referer": {field("Referer", "{origin}/page")}, "foreign-referer": {field("Referer", foreign+"/?{origin}")},
		"cross-site": fetch("cross-site"), "same-site": fetch("same-site"), "none": fetch("none"), "fetch-empty": fetch(""), "fetch-list": fetch("same-origin, cross-site"),
		"fetch-list-last": fetch("cross-site, same-origin"), "fetch-two": fetch("same-origin", "cross-site"), "fetch-two-last": fetch("cross-site", "same-origin"), "fetch-prefix": fetch("same-origin-x"),
		"foreign-and-same-origin": append(origin(foreign), fetch("same-origin")...), "null-and-same-origin": append(origin("null"), fetch("same-origin")...),
		"empty-and-same-origin": append(origin(""), fetch("same-origin")...), "two-and-same-origin": append(origin(foreign, "{origin}"), fetch("same-origin")...),
		"requested-with": {field("X-Requested-With", "XMLHttpRequest")}, "origin-lookalike": {field("X-Origin", "{origin}"), field("Origin_", "{origin}")},
		"forwarded-host": {field("Origin", foreign), field("X-Forwarded-Host", evil), field("X-Forwarded-Proto", "https")},
		"forwarded":      {field("Origin", foreign), field("Forwarded", "host="+evil+";proto=https")},
		"original-host":  {field("Origin", foreign), field("X-Original-Host", evil), field("X-Host", evil), field("X-Forwarded-Server", evil)},
		"downgraded":     {field("Origin", "http://{host}"), field("X-Forwarded-Proto", "http"), field("X-Forwarded-Scheme", "http")},
	}
}

// applies reports whether a source is not the site itself. "http://{host}" is the site itself
// if the site has no TLS.
func applies(t *corpus.Target, id string) bool {
	return id != "downgraded" || strings.HasPrefix(t.Origin, "https://")
}

// originAttacks: a POST that another site's page sends; browsers attach the cookie by
// themselves.
func originAttacks(t *corpus.Target) []corpus.Attack {
	var out []corpus.Attack
	add := adder(csrfMechanism, &out)
	for id, header := range sources() {
		if applies(t, id) {
			add("post-"+id, send("POST", t.Guarded+"csrf", header...), served, unsafe)
		}
	}
	form := send("POST", t.Guarded+"csrf", field("Origin", "https://"+evil), field("Content-Type", "text/plain"))
	form.Body = `{"to":"attacker","x":"="}`
	add("post-form", form, served, unsafe)
	optionalPost := send("POST", t.Optional+"csrf", field("Origin", "https://"+evil))
	add("post-on-optional", optionalPost, servedAsUser, unsafe, optional)
	return out
}

// methodAttacks: other methods, and headers that override the method. A gateway that accepts
// them treats a POST as a GET.
func methodAttacks(t *corpus.Target) []corpus.Attack {
	var out []corpus.Attack
	add := adder(csrfMechanism, &out)
	for _, method := range []string{"PUT", "PATCH", "DELETE", "PROPFIND", "MOVE", "LOCK", "REPORT", "SEARCH", "PURGE", "get", "Get", "GETX", "QUERY"} {
		add("method-"+method, send(method, t.Guarded+"csrf", field("Origin", "https://"+evil)), served, unsafe)
		add("method-"+method+"-bare", send(method, t.Guarded+"csrf"), served, unsafe)
	}
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Forwarded-Method", "X-Original-Method"} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
			add("override-"+strings.ToLower(name)+"-"+method, send("POST", t.Guarded+"csrf", field("Origin", "https://"+evil), field(name, method)), served, unsafe)
		}
	}
	add("override-query", send("POST", t.Guarded+"csrf?_method=GET", field("Origin", "https://"+evil)), served, unsafe)
	preflight := send("POST", t.Guarded+"csrf", field("Origin", "https://"+evil), field("Access-Control-Request-Method", "GET"))
	add("as-preflight", preflight, served, unsafe)
	safe := send("OPTIONS", t.Guarded+"csrf", field("Origin", "https://"+evil), field("Access-Control-Request-Method", "POST"))
	add("preflight-with-cookies", safe, allowsCookies, unsafe)
	return out
}

// handshakeAttacks: a page of another site opens a WebSocket with the user's cookie, and reads
// all data sent in it: CORS does not apply.
func handshakeAttacks(t *corpus.Target) []corpus.Attack {
	var out []corpus.Attack
	add := adder(csrfMechanism, &out)
	advisories := []string{"CVE-2024-26135", "RFC 6455 section 10.2"}
	for id, header := range sources() {
		if !applies(t, id) {
			continue
		}
		h1 := get(t.Guarded+"csrf", append(append([]wire.Field{session}, handshake...), header...)...)
		a := add("websocket-"+id, h1, served, opens)
		a.Protocols, a.Advisories = h1Only, advisories
		tunnel := wire.Request{Method: "CONNECT", Protocol: "websocket", Path: t.Guarded + "csrf", Header: append([]wire.Field{session, field("Sec-WebSocket-Version", "13")}, header...)}
		a = add("connect-"+id, tunnel, served, tunnels)
		a.Protocols, a.Advisories = multiplexed, advisories
	}
	for id, lines := range map[string]string{
		"upper": "Connection: UPGRADE\r\nUpgrade: WEBSOCKET", "list": "Connection: keep-alive, Upgrade\r\nUpgrade: websocket", "two-lines": "Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: websocket",
		"odd-name": "connection: upgrade\r\nUPGRADE: websocket", "tab": "Connection:\tUpgrade\r\nUpgrade:\twebsocket\t", "empty-first": "Connection: Upgrade\r\nUpgrade: \r\nUpgrade: websocket",
	} {
		r := raw("GET", t.Guarded+"csrf", "Cookie: {cookie}", "Origin: https://"+evil, lines, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
		add("websocket-spelled-"+id, r, tunnelled, opens).Advisories = advisories
	}
	return out
}

// hostRequest returns a request over HTTP/1.1 whose Host is not the host of the site's URL.
func hostRequest(method, path string, lines ...string) wire.Request {
	head := []string{method + " " + path + " HTTP/1.1", "Host: " + otherHostName, "X-Attack: {marker}", "Cookie: {cookie}"}
	if method == http.MethodPost {
		head = append(head, "Content-Length: 0")
	}
	return wire.Request{Raw: strings.Join(append(head, lines...), "\r\n") + "\r\n\r\n"}
}

// hostAttacks: a gateway that compares Origin with Host, which the client or a proxy chooses.
func hostAttacks(t *corpus.Target) []corpus.Attack {
	var out []corpus.Attack
	add := adder(csrfMechanism, &out)
	for id, lines := range map[string][]string{
		"same-as-origin": {"Origin: https://" + otherHostName}, "same-over-http": {"Origin: http://" + otherHostName},
		"forwarded": {"Origin: https://" + evil, "X-Forwarded-Host: " + evil}, "no-origin": nil,
		"referer": {"Referer: https://" + otherHostName + "/"},
	} {
		a := add("host-"+id, hostRequest("POST", t.Guarded+"csrf", lines...), served, unsafe, otherHost)
		a.Advisories = []string{"CVE-2025-24358"}
	}
	r := raw("POST", "http://"+otherHostName+t.Guarded+"csrf", "Cookie: {cookie}", "Origin: http://"+otherHostName, "Content-Length: 0")
	add("host-absolute-form", r, served, unsafe)
	return out
}

// logoutAttacks: another site's page ends the user's session.
func logoutAttacks(t *corpus.Target) []corpus.Attack {
	var out []corpus.Attack
	add := adder(csrfMechanism, &out)
	after := get(t.Guarded+"after", session, site)
	try := func(id string, r wire.Request) {
		add("logout-"+id, r, endsSession, logsOut).After = &after
	}
	path := t.Browsers + "/logout"
	for id, header := range sources() {
		if applies(t, id) {
			try(id, send("POST", path, header...))
		}
	}
	try("get", send("GET", path, site))
	try("get-override", send("GET", path, site, field("X-HTTP-Method-Override", "POST")))
	try("head", send("HEAD", path, site))
	try("put", send("PUT", path, site))
	try("by-bearer", wire.Request{Method: "POST", Path: path, Header: []wire.Field{session, field("Origin", "https://"+evil), field("Authorization", "Bearer x")}})
	return out
}
