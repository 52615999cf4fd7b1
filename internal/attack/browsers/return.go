package browsers

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

// injectedHeader is a header that a value with a line end adds to a response.
const injectedHeader = "x-injected"

// navigation has the headers that a browser sends when it opens a page.
var navigation = []wire.Field{field("Sec-Fetch-Mode", "navigate"), field("Sec-Fetch-Dest", "document"), field("Accept", "text/html")}

// targets returns values of return that some browser, or some parser of a gateway, reads as a
// URL of another site.
func targets() []string {
	return []string{
		"https://" + evil + "/", "http://" + evil + "/", "//" + evil + "/", "///" + evil + "/", "////" + evil + "/", `\\` + evil + "/", `/\` + evil + "/", `\/` + evil + "/", `/\/` + evil + "/",
		"https:/" + evil + "/", "https:///" + evil + "/", `https:\\` + evil + "/", `https:/\` + evil + "/", "HTTPS://" + evil + "/", "hTTp:" + evil,
		"{origin}@" + evil + "/", "{origin}." + evil + "/", "{origin}%40" + evil + "/", "{origin}:x@" + evil + "/", "{origin}" + evil + "/",
		"/\t/" + evil + "/", "/\n/" + evil + "/", "\t//" + evil + "/", " //" + evil + "/", "\x00//" + evil + "/", "//" + evil + "\t/", "h\nttps://" + evil + "/", "\u00a0//" + evil + "/",
		"/x\r\nLocation: https://" + evil + "/", "/x\r\n" + injectedHeader + ": x", "/..//" + evil + "/", "/.//" + evil + "/", "/x/..//" + evil + "/", "/%2f" + evil + "/", "/%5c" + evil + "/",
		"javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd", "blob:{origin}/x", "about:blank", "view-source:{origin}/", "filesystem:{origin}/x",
		`/\\` + evil, "/／" + evil + "/", "／／" + evil + "/", "//" + evil + "%00{origin}/", "//" + evil + "#{origin}/", "//" + evil + "?{origin}/", "//{host}@" + evil + "/",
		"https://[::ffff:1.2.3.4]/", "//0x7f000001/", "//" + strings.ReplaceAll(evil, ".", "。") + "/", "//ｅvil.example/", "weixin://dl/business", "https://" + evil + "/{origin}/",
	}
}

// returnAttacks: a link to the site's own login that sends the user, once logged in, to
// another site. The login with a ticket returns at once.
func returnAttacks(t *corpus.Target) []corpus.Attack {
	var out []corpus.Attack
	add := adder(returnMechanism, &out)
	for i, text := range targets() {
		back := queryEscape(text)
		add("enter-"+number(i), get(enter(t, back)), leavesSite, enters)
		if !onSite(t.Origin, text) { // it is another site's only after a second decoding
			add("login-"+number(i), get(login(t, back)), asksFor(text), asks)
		}
	}
	form := func(body string) wire.Request {
		return wire.Request{Method: "POST", Path: t.Browsers + "/enter", Header: []wire.Field{site, field("Content-Type", "application/x-www-form-urlencoded")}, Body: body}
	}
	for _, i := range []int{0, 2, 6, 9, 15, 20} {
		add("form-"+number(i), form("ticket={ticket}&return="+queryEscape(targets()[i])), leavesSite, enters)
	}
	for id, header := range map[string]wire.Field{
		"host": field("X-Forwarded-Host", evil), "proto": field("X-Forwarded-Proto", "javascript"), "port": field("X-Forwarded-Port", "1"), "prefix": field("X-Forwarded-Prefix", "//"+evil),
		"forwarded": field("Forwarded", "host="+evil), "original": field("X-Original-Host", evil), "referer": field("Referer", "https://"+evil+"/"), "origin": field("Origin", "https://"+evil),
	} {
		add("enter-header-"+id, get(enter(t, "/x"), header), leavesSite, enters).Advisories = []string{"CVE-2024-21499"}
		add("login-header-"+id, get(login(t, "/x"), header), mentionsEvil, asks).Advisories = []string{"CVE-2024-21499"}
	}
	return out
}

// navigationAttacks: a page of the site whose path sends the user elsewhere after the login.
func navigationAttacks(t *corpus.Target) []corpus.Attack {
	var out []corpus.Attack
	add := adder(returnMechanism, &out)
	for i, path := range []string{
		"//" + evil + "/", "///" + evil + "/", `/\` + evil + "/", "/%5c" + evil, "/%2f" + evil, "/.//" + evil, "/x/..//" + evil, "//" + evil + "/%2e%2e", "//" + evil + t.Guarded,
		t.Guarded + "..//" + evil, t.Guarded + "x&return=https://" + evil + "/", t.Guarded + "x%26return=https://" + evil + "/",
	} {
		add("navigate-"+number(i), get(path, navigation...), leavesSiteLater, navigates)
	}
	for id, name := range map[string]string{"host": "X-Forwarded-Host", "uri": "X-Forwarded-Uri", "original": "X-Original-URL"} {
		add("navigate-header-"+id, get(t.Guarded+"x", append([]wire.Field{field(name, "//"+evil+"/")}, navigation...)...), leavesSiteLater, navigates)
	}
	absolute := raw("GET", "http://"+evil+t.Guarded+"x", "Sec-Fetch-Mode: navigate")
	add("navigate-absolute", absolute, leavesSiteLater, navigates)
	return out
}

// queryEscape escapes all text except the placeholders in braces.
func queryEscape(text string) string {
	return strings.NewReplacer("%7B", "{", "%7D", "}").Replace(url.QueryEscape(text))
}

// number formats i so that names sort by number.
func number(i int) string {
	if i < 10 {
		return "0" + strconv.Itoa(i)
	}
	return strconv.Itoa(i)
}
