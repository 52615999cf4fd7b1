package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
)

// pathSet matches request paths: whole paths, and prefixes that end at a slash.
// It is case-sensitive, as most upstreams are.
type pathSet struct {
	exact    map[string]struct{}
	prefixes []string // each ends in a slash
}

// newPathSet reads patterns: "/health" matches itself, "/static/*" whatever
// lies below /static/, "/*" everything.
func newPathSet(patterns []string) (pathSet, error) {
	set := pathSet{exact: make(map[string]struct{})}
	for _, pattern := range patterns {
		path, isPrefix := strings.CutSuffix(pattern, "*")
		switch {
		case !strings.HasPrefix(path, "/"):
			return set, fmt.Errorf("path %q must begin with a slash", pattern)
		case strings.Contains(path, "*"):
			return set, fmt.Errorf("path %q: a star may only stand at the end, after a slash", pattern)
		case isPrefix && !strings.HasSuffix(path, "/"):
			return set, fmt.Errorf("path %q: write %q or %q: a prefix ends at a slash, so that /public does not admit /public-not", pattern, path, path+"/*")
		case !canonicalPath(path):
			return set, fmt.Errorf("path %q is not canonical: no request could match it", pattern)
		case isPrefix:
			set.prefixes = append(set.prefixes, path)
		default:
			set.exact[path] = struct{}{}
		}
	}
	return set, nil
}

func (s pathSet) empty() bool { return len(s.exact) == 0 && len(s.prefixes) == 0 }

// match expects a path that is canonical.
func (s pathSet) match(path string) bool {
	if _, ok := s.exact[path]; ok {
		return true
	}
	for _, prefix := range s.prefixes {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// canonicalRequestPath reports whether everyone who reads the request's path
// reads the same one: the gateway that decides on it, and the upstream, whatever
// it decodes, cleans or cuts off. The attack otherwise: /public/..;/admin, public
// to us and /admin to Tomcat.
func canonicalRequestPath(r *http.Request) bool {
	return canonicalPath(r.URL.EscapedPath()) && !strings.ContainsAny(r.URL.Path, "\x00\\;#%") && !strings.Contains(r.URL.Path, "//")
}

// canonicalPath reports whether an escaped path has one meaning. It has not when
// it holds an empty, "." or ".." segment, a path parameter, a backslash, a
// control byte, or a percent escape of any of these, of a slash, of a percent
// sign, or of a letter, digit or mark that needs none.
func canonicalPath(escaped string) bool {
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
		if segment == "." || segment == ".." || segment == "" && escaped != "/" {
			return false
		}
	}
	return true
}

// ambiguousEscape reports whether %XX of c reads differently to different
// decoders, or hides a character that has a meaning of its own.
func ambiguousEscape(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	case c < ' ' || c == 0x7f:
		return true
	default:
		return strings.IndexByte(`-._~/\%;#?`, c) >= 0
	}
}

// unhex reads the two digits after a percent sign.
func unhex(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	hi, lo := hexDigit(s[0]), hexDigit(s[1])
	return hi<<4 | lo, hi < 16 && lo < 16
}

func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	default:
		return 0xff
	}
}
