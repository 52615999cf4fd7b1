// Package upstream models the servers behind a gateway: how they read the name of a header
// and the path of a request. An attack succeeds if it fools one of them.
package upstream

import (
	"net/url"
	"path"
	"strings"
)

// Bare returns a header name as the most lenient server reads it: CGI, WSGI and PHP ignore
// case and marks, and some ignore repeated marks.
func Bare(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + ('a' - 'A')
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return -1
	}, name)
}

// A reader turns a request target into the path that a kind of server serves.
type reader struct {
	name string
	path func(string) string
}

var readers = []reader{
	{"as it is", func(s string) string { return s }},
	{"Go", func(s string) string { return clean(decode(s)) }},
	{"nginx", func(s string) string { return clean(strings.ReplaceAll(decode(cut(s, "#")), "//", "/")) }},
	{"Tomcat", func(s string) string { return clean(strings.ReplaceAll(decode(dropParameters(s)), `\`, "/")) }},
	{"Tomcat, parameters decoded", func(s string) string { return clean(dropParameters(decode(s))) }},
	{"WHATWG URL", whatwg},
	{"decoded twice", func(s string) string { return clean(strings.ReplaceAll(decode(decode(s)), `\`, "/")) }},
	{"without NUL", func(s string) string { return clean(strings.ReplaceAll(decode(s), "\x00", "")) }},
	{"C strings", func(s string) string { return clean(cut(decode(s), "\x00")) }},
	{"IIS", iis},
	{"overlong UTF-8", func(s string) string { return clean(overlong(decode(s))) }},
	{"escapes of marks cut", func(s string) string { return clean(cut(decode(s), "#?;")) }},
}

// Readings returns the paths that different servers serve for a request target.
func Readings(target string) []string {
	if u, err := url.Parse(target); err == nil && u.IsAbs() {
		target = u.RequestURI()
	}
	target = cut(target, "?")
	var paths []string
	for _, r := range readers {
		paths = append(paths, r.path(target))
	}
	return paths
}

// Routings returns how programs read a path that all servers read in the same way.
func Routings(served string) []string {
	routes := []string{narrow(served), clean(narrow(served)), clean(stream(served))}
	for _, p := range []string{served, clean(narrow(served))} {
		if script := strings.LastIndex(strings.ToLower(p), ".php/"); script >= 0 {
			routes = append(routes, p[script+len(".php"):]) // PATH_INFO: Laravel, Symfony, ThinkPHP
		}
	}
	return routes
}

// everyReading returns all paths that could be served for a request target.
func everyReading(target string) []string {
	var all []string
	for _, p := range Readings(target) {
		all = append(append(all, p), Routings(p)...)
	}
	return all
}

// Escapes reports whether some server serves a path outside prefix.
func Escapes(target, prefix string) bool {
	for _, p := range everyReading(target) {
		if !strings.HasPrefix(p, prefix) {
			return true
		}
	}
	return false
}

// Reaches reports whether some server serves a path below prefix. Many routers, including
// those of Express and ASP.NET, ignore case.
func Reaches(target, prefix string) bool {
	for _, p := range everyReading(target) {
		if strings.HasPrefix(strings.ToLower(p), strings.ToLower(prefix)) {
			return true
		}
	}
	return false
}

// decode decodes percent-encoding once, and keeps invalid escapes.
func decode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if d, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(d)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// clean resolves dot segments and keeps a trailing slash.
func clean(s string) string {
	cleaned := path.Clean("/" + s)
	if strings.HasSuffix(s, "/") && cleaned != "/" {
		cleaned += "/"
	}
	return cleaned
}

func cut(s, marks string) string {
	if i := strings.IndexAny(s, marks); i >= 0 {
		return s[:i]
	}
	return s
}

// dropParameters removes the path parameters of each segment, as servlet containers do
// before they resolve dots: "..;x" becomes "..".
func dropParameters(s string) string {
	segments := strings.Split(s, "/")
	for i, segment := range segments {
		segments[i] = cut(segment, ";")
	}
	return strings.Join(segments, "/")
}

// whatwg returns a path as `new URL` does: a backslash is a slash, %2e is a dot, and
// nothing else is decoded.
func whatwg(s string) string {
	s = strings.ReplaceAll(cut(s, "#"), `\`, "/")
	segments := strings.Split(s, "/")
	for i, segment := range segments {
		switch strings.ToLower(segment) {
		case "%2e":
			segments[i] = "."
		case "..", ".%2e", "%2e.", "%2e%2e":
			segments[i] = ".."
		}
	}
	return clean(strings.Join(segments, "/"))
}

// iis decodes escapes that only IIS has. Windows removes spaces and dots at the end of a
// name.
func iis(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.HasPrefix(s[i:], "%u00") && len(s) >= i+6 {
			b.WriteString("%" + s[i+4:i+6])
			i += 5
			continue
		}
		b.WriteByte(s[i])
	}
	segments := strings.Split(strings.ReplaceAll(decode(b.String()), `\`, "/"), "/")
	for i, segment := range segments {
		trimmed := strings.TrimRight(segment, " \t\r\n.")
		if dots := len(strings.TrimSpace(segment)); trimmed == "" && dots > 0 && dots <= 2 {
			trimmed = segment[:dots] // "." and ".."
		}
		segments[i] = trimmed
	}
	return clean(strings.Join(segments, "/"))
}

// overlong decodes the overlong encodings of ASCII that old decoders accept
// (CVE-2008-2938: %c0%ae and %e0%80%ae are dots).
func overlong(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case (s[i] == 0xc0 || s[i] == 0xc1) && i+1 < len(s) && s[i+1]&0xc0 == 0x80:
			b.WriteByte((s[i]&1)<<6 | s[i+1]&0x3f)
			i++
		case s[i] == 0xe0 && i+2 < len(s) && (s[i+1] == 0x80 || s[i+1] == 0x81) && s[i+2]&0xc0 == 0x80:
			b.WriteByte((s[i+1]&1)<<6 | s[i+2]&0x3f)
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// narrow replaces fullwidth letters and marks with ASCII, as Windows does for a code page
// without them, and as programs do that normalize text (NFKC).
func narrow(s string) string {
	const first, last, offset = '！', '～', '！' - '!'
	s = strings.Map(func(r rune) rune {
		switch {
		case first <= r && r <= last:
			return r - offset
		case r == '⁄' || r == '∕':
			return '/'
		case r == '∖':
			return '\\'
		}
		return r
	}, s)
	return strings.NewReplacer(`\`, "/", "․", ".", "‥", "..", "…", "...").Replace(s)
}

// stream removes the names of streams from a path, as on NTFS.
func stream(s string) string {
	segments := strings.Split(s, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, "::$")
	}
	return strings.Join(segments, "/")
}
