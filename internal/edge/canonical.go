package edge

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// CanonicalRequestPath reports whether all readers of the request's path read the same path:
// the gateway that decides on it, and the upstream, whatever it decodes, cleans or truncates.
// This stops /public/..;/admin, which is public for the gateway and /admin for Tomcat.
func CanonicalRequestPath(r *http.Request) bool {
	if r.URL.RawPath == "" && isPlain(r.URL.Path) {
		return true // fast path for nearly all paths, at a tenth of the cost
	}
	return CanonicalPath(r.URL.EscapedPath()) && !strings.ContainsAny(r.URL.Path, "\x00\\;#%") && !strings.Contains(r.URL.Path, "//") && !hasFullwidthSeparators(r.URL.Path)
}

// isPlain reports whether a path has only letters, digits, hyphens, underscores and single
// slashes, which all servers read in the same way.
func isPlain(path string) bool {
	for i := range len(path) {
		switch c := path[i]; {
		case isAlphanumeric(c) || c == '-' || c == '_':
		case c == '/' && (i == 0 || path[i-1] != '/'):
		default:
			return false
		}
	}
	return path != "" && path[0] == '/'
}

// plainPath returns the decoded form of a path of the configuration, which may be escaped or
// not. It returns false for a path that no request can have.
func plainPath(path string) (string, bool) {
	var escaped strings.Builder
	for i := range len(path) {
		if c := path[i]; c >= 0x80 || c == ' ' {
			fmt.Fprintf(&escaped, "%%%02X", c)
		} else {
			escaped.WriteByte(c)
		}
	}
	decoded, err := url.PathUnescape(escaped.String())
	return decoded, err == nil && CanonicalPath(escaped.String()) && !hasFullwidthSeparators(decoded)
}

// CanonicalPath reports whether an escaped path has only one meaning. It returns false for a
// path that contains an empty, "." or ".." segment, a segment that ends in a dot or a space,
// which Windows drops (so ".. " is ".." there), a path parameter, a backslash, a control byte,
// or a percent escape of any of these, of a slash, of a percent sign, or of a letter, digit or
// mark that needs no escape.
func CanonicalPath(escaped string) bool {
	if !strings.HasPrefix(escaped, "/") {
		return false
	}
	for i := 0; i < len(escaped); i++ {
		c := escaped[i]
		if c == '%' {
			decoded, ok := unhex(escaped[i+1:])
			if !ok || ambiguousEscape(decoded) {
				return false
			}
			i += 2
			continue
		}
		if c <= ' ' || c >= 0x7f || c == ';' || c == '\\' || c == '#' || c == '?' {
			return false
		}
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(escaped[1:], "/"), "/") {
		if segment == "" && escaped != "/" || strings.HasSuffix(segment, ".") || strings.HasSuffix(segment, "%20") || strings.HasPrefix(segment, "%20") {
			return false
		}
	}
	return decodesToUTF8(escaped)
}

// decodesToUTF8 reports whether the escapes of a path are valid UTF-8. Invalid UTF-8 may be a
// dot or a slash for a lenient decoder: %c0%ae is a dot for those of CVE-2008-2938.
func decodesToUTF8(escaped string) bool {
	if !strings.Contains(escaped, "%") {
		return true
	}
	path, err := url.PathUnescape(escaped)
	return err == nil && utf8.ValidString(path)
}

// ambiguousEscape reports whether different decoders read %XX of c differently, or whether it
// hides a character with a special meaning.
func ambiguousEscape(c byte) bool {
	return isAlphanumeric(c) || c < ' ' || c == 0x7f || strings.IndexByte(`-._~/\%;#?`, c) >= 0
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// unhex reads the two digits after a percent sign.
func unhex(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	var b [1]byte
	_, err := hex.Decode(b[:], []byte(s[:2]))
	return b[0], err == nil
}
