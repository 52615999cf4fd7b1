package browsers

import (
	"net/url"
	"strings"
)

// onSite reports whether a browser reads a URL reference, on a page of an origin, as a URL of
// that origin. It follows the URL standard of the WHATWG where it differs from RFC 3986:
// browsers drop tabs and line ends, read a backslash as a slash, and need no slashes after the
// scheme.
func onSite(origin, text string) bool {
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	text = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(text)
	scheme, authority, _ := strings.Cut(origin, "://")
	if name, rest, ok := cutScheme(text); ok {
		if name != "http" && name != "https" {
			return false
		}
		slashes := len(rest) - len(strings.TrimLeft(rest, `/\`))
		if slashes == 0 && name == scheme {
			return true // a relative reference with a scheme
		}
		return name == scheme && sameAuthority(authority, rest[slashes:])
	}
	if len(text) >= 2 && strings.ContainsRune(`/\`, rune(text[0])) && strings.ContainsRune(`/\`, rune(text[1])) {
		return sameAuthority(authority, strings.TrimLeft(text, `/\`))
	}
	return true // a path, a query or a fragment
}

// cutScheme returns the scheme of an absolute URL, in lower case.
func cutScheme(text string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(text, ":")
	if !ok || scheme == "" {
		return "", "", false
	}
	scheme = strings.ToLower(scheme)
	for i, c := range scheme {
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", c)) {
			return "", "", false
		}
	}
	return scheme, rest, true
}

// sameAuthority reports whether the text after the slashes begins with this authority.
func sameAuthority(authority, rest string) bool {
	if end := strings.IndexAny(rest, `/\?#`); end >= 0 {
		rest = rest[:end]
	}
	if decoded, err := url.PathUnescape(rest); err == nil {
		rest = decoded
	}
	return strings.EqualFold(rest, authority)
}
