package browsers

import (
	"fmt"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

const (
	cookieName  = "{cookie-name}"
	cookieValue = "{cookie-value}"
	other       = "wxc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" // a cookie of no session
)

// cookies returns a guarded request with these Cookie lines.
func cookies(t *corpus.Target, lines ...string) wire.Request {
	r := get(t.Guarded+"cookie", site)
	for _, line := range lines {
		r.Header = append(r.Header, field("Cookie", line))
	}
	return r
}

// severalAttacks: two credentials in one request, of which the gateway checks one and the
// upstream, or a proxy between, uses the other. A sibling host can add a second cookie of the
// same name (cookie tossing).
func severalAttacks(t *corpus.Target) []corpus.Attack {
	var out []corpus.Attack
	add := adder(cookieMechanism, &out)
	const good, bad = cookieName + "=" + cookieValue, cookieName + "=" + other
	for id, lines := range map[string][]string{
		"twice-same": {good + "; " + good}, "twice-good-first": {good + "; " + bad}, "twice-good-last": {bad + "; " + good},
		"twice-empty-first": {cookieName + "=; " + good}, "twice-empty-last": {good + "; " + cookieName + "="},
		"twice-without-space": {good + ";" + bad}, "twice-far": {good + "; a=b; c=d; " + bad},
		"two-lines-same": {good, good}, "two-lines-good-first": {good, bad}, "two-lines-good-last": {bad, good}, "two-lines-far": {"a=b; " + good, "c=d", bad},
		"twice-no-equals": {cookieName + "; " + good}, "three": {bad + "; " + good + "; " + bad},
	} {
		add("several-"+id, cookies(t, lines...), served, closed)
	}
	beside := func(id string, header ...wire.Field) {
		add("beside-"+id, get(t.Guarded+"cookie", append([]wire.Field{session, site}, header...)...), served, closed).Advisories = []string{"RFC 6750 section 2"}
	}
	beside("bearer", field("Authorization", "Bearer {token}"))
	beside("bearer-other", field("Authorization", "Bearer e30.e30.e30"))
	beside("bearer-opaque", field("Authorization", "Bearer x"))
	add("beside-query", get(t.Guarded+"cookie?access_token=x", session, site), served, closed).Advisories = []string{"RFC 6750 section 2"}
	return out
}

// nameAttacks: names that some parsers read as the name of the session cookie. Another host of
// the domain could set them, although browsers don't let it set __Host- cookies.
func nameAttacks(t *corpus.Target) []corpus.Attack {
	var out []corpus.Attack
	add := adder(cookieMechanism, &out)
	name, _ := t.SessionCookie()
	bare := strings.TrimPrefix(name, "__Host-")
	for id, n := range map[string]string{
		"upper": strings.ToUpper(name), "lower-host": strings.ToLower(name) + "x", "without-prefix": bare + "0", "secure-prefix": "__Secure-" + bare,
		"dollar": "$" + name, "dot": name + ".", "array": name + "[]", "array-key": name + "[a]", "quoted": `"` + name + `"`, "percent": strings.Replace(name, "w", "%77", 1) + "%20",
		"space-end": name + " ", "space-begin": " x " + name, "no-break-space": "\u00a0" + name, "ideographic-space": "\u3000" + name, "em-space-end": name + "\u2003", "tab-end": name + "\t", "comma": "a," + name, "plus": "+" + name, "colon": name + ":",
		"underscore": strings.ReplaceAll(name, "-", "_") + "_", "path": "/" + name, "suffix": name + "-", "scan": name + "-scan", "nameless": "=" + name,
	} {
		add("name-"+id, cookies(t, n+"="+cookieValue), served, closed).Advisories = []string{"RFC 6265 section 8.6"}
	}
	return out
}

// valueAttacks: values that are not exactly the cookie that the gateway set. If a value has
// several spellings, or a part of it suffices, it can be guessed or escapes a revocation.
func valueAttacks(t *corpus.Target) []corpus.Attack {
	var out []corpus.Attack
	add := adder(cookieMechanism, &out)
	for id, line := range map[string]string{
		"quoted": cookieName + `="` + cookieValue + `"`, "half-quoted": cookieName + `="` + cookieValue, "single-quoted": cookieName + "='" + cookieValue + "'",
		"comma": cookieName + "=" + cookieValue + ",", "comma-more": cookieName + "=" + cookieValue + ", a=b", "comma-before": "a=b, " + cookieName + "=" + cookieValue,
		"space-more": cookieName + "=" + cookieValue + " a=b", "two-equals": cookieName + "==" + cookieValue, "trailing-equals": cookieName + "=" + cookieValue + "=",
		"spaces-around": cookieName + " = " + cookieValue, "space-after-equals": cookieName + "= " + cookieValue, "version": `$Version=1; ` + cookieName + `="` + cookieValue + `"; $Path="/"`,
		"percent": cookieName + "=%77" + cookieValue, "nul": cookieName + "=" + cookieValue + "%00", "url-form": "a=b&" + cookieName + "=" + cookieValue,
		"empty": cookieName + "=", "name-only": cookieName, "other": cookieName + "=" + other, "base64-json": cookieName + "=eyJzdWIiOiJ2aWN0aW0ifQ",
	} {
		add("value-"+id, cookies(t, line), served, closed)
	}
	for id, edit := range map[string]func(string) string{
		"cut-short": func(s string) string { return s[:len(s)-1] }, "longer": func(s string) string { return s + "A" },
		"first-half": func(s string) string { return s[:len(s)/2] }, "last-char": func(s string) string { return flip(s, len(s)-1) },
		"middle": func(s string) string { return flip(s, len(s)/2) }, "begin": func(s string) string { return flip(s, len(s)/8) },
		"upper": strings.ToUpper, "lower": strings.ToLower, "standard-alphabet": func(s string) string { return strings.NewReplacer("-", "+", "_", "/").Replace(s) + "==" },
		"secret-of-zeros": func(s string) string { return s[:len(s)/3] + strings.Repeat("A", len(s)-len(s)/3) }, "nine-kib": func(s string) string { return s + strings.Repeat("A", 9<<10) },
	} {
		a := add("value-edit-"+id, cookies(t, cookieName+"={forged}"), served, closed)
		a.Forge = func(s *corpus.Secrets) (string, error) {
			if edited := edit(s.Cookie()); edited != s.Cookie() {
				return edited, nil
			}
			return "", fmt.Errorf("%w: this cookie has no such spelling", corpus.ErrNotApplicable)
		}
	}
	// HTTP/2 may split a Cookie field (RFC 9113 section 8.2.3), but only between cookies.
	split := add("split-inside", cookies(t, cookieName+"={forged}"), served, closed)
	split.Advisories = []string{"RFC 9113 section 8.2.3"}
	split.Request.Header = append(split.Request.Header, field("Cookie", "AAAA"))
	split.Forge = func(s *corpus.Secrets) (string, error) { return s.Cookie()[:len(s.Cookie())/2], nil }
	for id, lines := range map[string]string{
		"bare-cr":     "X-Other: a\rCookie: " + cookieName + "=" + cookieValue,
		"fold-inside": "Cookie: " + cookieName + "=\r\n " + cookieValue, "underscore": "Cookie_: " + cookieName + "=" + cookieValue, "cookie2": "Cookie2: " + cookieName + "=" + cookieValue,
		"space-before-colon": "Cookie : " + cookieName + "=" + cookieValue, "semicolon-nul": "Cookie: a=b\x00; " + cookieName + "=" + cookieValue,
	} {
		add("line-"+id, raw("GET", t.Guarded+"cookie", "Origin: {origin}", lines), served, closed)
	}
	return out
}

// flip returns s with another character at i.
func flip(s string, i int) string {
	c := byte('A')
	if s[i] == c {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}

// exposureAttacks: accepted spellings of the cookie, on every route. The upstream must get its
// own cookies but not the gateway's.
func exposureAttacks(t *corpus.Target) []corpus.Attack {
	var out []corpus.Attack
	add := adder(cookieMechanism, &out)
	const good = cookieName + "=" + cookieValue
	for id, lines := range map[string][]string{
		"alone": {good}, "first": {good + "; theme=dark"}, "last": {"theme=dark; " + good}, "middle": {"a=b; " + good + "; theme=dark"}, "lines": {"a=b", good, "theme=dark"},
		"no-space": {"a=b;" + good + ";theme=dark"}, "empty-elements": {";;" + good + ";; ;theme=dark;"}, "tabs": {"a=b;\t" + good + "\t;theme=dark"},
		"quoted-others": {`a="b; ` + good + `; theme=dark"`}, "comma-others": {"a=b,c=d; " + good + "; theme=dark"}, "no-equals": {"flag; " + good + "; theme=dark"},
		"logins": {good + "; " + cookieName + "-login-0123abcd=x; " + cookieName + "-scan=y; theme=dark"}, "many": {strings.Repeat("a=b; ", 200) + good},
	} {
		add("exposed-"+id, cookies(t, lines...), exposesGatewayCookies)
		for _, route := range []struct {
			id, prefix string
			need       corpus.Control
		}{{"public", t.Public, public}, {"optional", t.Optional, optional}, {"error-route", t.Broken, errorPath}} {
			r := cookies(t, lines...)
			r.Path = route.prefix + "cookie"
			add("exposed-"+route.id+"-"+id, r, exposesGatewayCookies, route.need)
		}
	}
	add("exposed-fold", raw("GET", t.Guarded+"cookie", "Origin: {origin}", "Cookie: theme=dark;\r\n "+good), exposesGatewayCookies)
	add("exposed-websocket", get(t.Guarded+"cookie", append([]wire.Field{session, site}, handshake...)...), exposesGatewayCookies, opens).Protocols = h1Only
	add("exposed-trace", send("TRACE", t.Guarded+"cookie", site), servedOrOK)
	add("exposed-connection", get(t.Guarded+"cookie", session, site, field("Connection", "close, Cookie")), exposesGatewayCookies).Protocols = h1Only
	add("exposed-after-refusal", get(t.Guarded+"cookie", session, field("Authorization", "Bearer x")), served)
	return out
}

// confusionAttacks: one credential of a gateway in place of another (RFC 8725 section 3.12).
func confusionAttacks(t *corpus.Target) []corpus.Attack {
	var out []corpus.Attack
	add := adder(cookieMechanism, &out)
	confused := func(id string, r wire.Request, judge func(*corpus.Evidence) string, needs ...corpus.Control) *corpus.Attack {
		a := add("as-"+id, r, judge, needs...)
		a.Advisories = []string{"RFC 8725 section 3.12"}
		return a
	}
	confused("bearer", get(t.Guarded+"cookie", field("Authorization", "Bearer "+cookieValue)), served, closed)
	confused("query", get(t.Guarded+"cookie?access_token="+cookieValue), served, closed)
	confused("token", cookies(t, cookieName+"={token}"), served, closed, bearers)
	confused("ticket", cookies(t, cookieName+"={ticket}"), served, closed, enters)
	confused("bearer-for-a-ticket", wire.Request{Method: "POST", Path: t.Browsers + "/ticket", Header: []wire.Field{session, site}}, grantsTicket, enters)
	for id, value := range map[string]string{"refresh": cookieValue, "refresh-prefix": "{forged}"} {
		a := confused(id, refresh(t, value), grants, refreshes)
		after := get(t.Guarded+"after", session, site)
		a.After = &after
		a.Forge = func(s *corpus.Secrets) (string, error) { return strings.Replace(s.Cookie(), "wxc_", "wxr_", 1), nil }
	}
	return out
}

func refresh(t *corpus.Target, token string) wire.Request {
	return wire.Request{Method: "POST", Path: t.Refresh, Header: []wire.Field{field("Content-Type", "application/json")}, Body: `{"refresh_token":"` + token + `"}`}
}
