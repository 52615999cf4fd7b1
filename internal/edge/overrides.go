package edge

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// PathOverrides are the folded names of headers from which frameworks or middleware read the
// path, or a part of it: Symfony and IIS (CVE-2018-14773), WSGI prefix middleware, Envoy,
// Traefik, Azure and others. The proxy configurations in docs/verify.md remove the same names.
var PathOverrides = []string{
	"x-original-url", "x-original-uri", "x-original-path", "x-rewrite-url", "x-rewrite-uri", "x-override-url", "x-override-uri",
	"x-script-name", "script-name", "x-path-info", "path-info", "x-http-path-override", "x-path-override", "x-request-uri", "request-uri",
	"x-forwarded-path", "x-forwarded-uri", "x-forwarded-url", "x-forwarded-script-name", "x-forwarded-base",
	"x-forwarded-pathbase", "x-forwarded-request-uri", "x-forwarded-context", "x-original-request-uri", "x-ms-original-url",
	"x-http-destinationurl", "x-ingress-path", "x-proxy-url", "x-envoy-original-path", "x-replaced-path", "x-proxy-path", "x-base-path", "x-waws-unencoded-url", "x-accel-redirect",
}

// overrideFamily matches similar names, for frameworks that are not in the list:
// X-Forwarded-Basepath, X-Original-Pathname, X-Scriptname. Names that programs use for other
// purposes, such as X-Callback-Url, do not match.
var overrideFamily = regexp.MustCompile(`(?i)^[\W_]*x[\W_](.*[\W_])?(` +
	`(forwarded|original|rewrit|overrid|replac|proxy).*(path|ur[il]|base|script|context)` +
	`|(original|rewrit|overrid|replac|proxy).*prefix` +
	`|request(ed)?[\W_]*(path|ur[il])` +
	`|(path|ur[il])[\W_]*(overrid|info)` +
	`|script[\W_]*name)`)

// PrefixOverride is another such name. It is accepted from trusted proxies, which use it to
// report the upstream's mount point (CVE-2026-35051).
const PrefixOverride = "x-forwarded-prefix"

// dropPathOverrides removes the headers that replace the path on which the gateway decides.
// trusted is for a request of a trusted proxy. This stops "GET /public/x" with "X-Rewrite-URL:
// /admin", which is public only for the gateway.
func dropPathOverrides(r *http.Request, trusted bool) {
	for name := range r.Header {
		if overridesPath(name) || !trusted && isFolded(name, PrefixOverride) {
			delete(r.Header, name)
		}
	}
}

// methodOverrides are the folded names of headers from which some frameworks read the method.
var methodOverrides = []string{"x-http-method-override", "x-http-method", "x-method-override"}

// DropMethodOverrides removes the headers that replace the method. This stops a credential for
// a GET from being used with "X-HTTP-Method-Override: DELETE".
func DropMethodOverrides(r *http.Request) {
	for name := range r.Header {
		if slices.ContainsFunc(methodOverrides, func(override string) bool { return isFolded(name, override) }) {
			delete(r.Header, name)
		}
	}
}

func overridesPath(name string) bool {
	return hasOverrideStem(name) && (overrideFamily.MatchString(name) || slices.ContainsFunc(PathOverrides, func(override string) bool { return isFolded(name, override) }))
}

// overrideStems are parts of names, by their first letter; the name of every override contains
// one of them. Few other headers do, so most headers need only this fast check.
var overrideStems = ['z' + 1][]string{
	'p': {"path", "prefix"}, 'u': {"uri", "url"}, 'b': {"base"}, 's': {"script"}, 'c': {"context"}, 'r': {"redirect"},
}

func hasOverrideStem(name string) bool {
	for at := range len(name) {
		first := name[at] | 0x20 // in lower case
		if first > 'z' {
			continue
		}
		for _, stem := range overrideStems[first] {
			if len(name)-at >= len(stem) && strings.EqualFold(name[at:at+len(stem)], stem) {
				return true
			}
		}
	}
	return false
}

func isFolded(name, folded string) bool {
	_, whole := matchFolded(name, folded)
	return whole
}
