package attack

import (
	"fmt"
	"strings"
)

// desynchronised: the upstream saw a request that the gateway did not, or one
// that the next server might end elsewhere.
func desynchronised(e *Evidence) string {
	if why := impersonated(e); why != "" {
		return why
	}
	for _, s := range e.Seen {
		switch {
		case strings.Contains(s.Target, markerPath):
			return fmt.Sprintf("the upstream got the smuggled %s %s", s.Method, s.Target)
		case s.Malformed:
			return "the upstream got chunks that are none"
		case s.Proto != "HTTP/1.1" && s.Proto != "HTTP/1.0" || strings.ContainsFunc(s.Target, isControl):
			return fmt.Sprintf("the upstream got the request line %q", s.Method+" "+s.Target+" "+s.Proto)
		}
		if why := ambiguousLength(s); why != "" {
			return why
		}
		for _, line := range s.Lines {
			if why := oddLine(line); why != "" {
				return why
			}
		}
	}
	return ""
}

// ambiguousLength: the length of the body is said twice, or in odd words.
func ambiguousLength(s *Seen) string {
	lengths, encodings := s.all("Content-Length"), s.all("Transfer-Encoding")
	odd := len(lengths)+len(encodings) > 1
	for _, v := range lengths {
		digits := v != "" && strings.Trim(v, "0123456789") == ""
		odd = odd || !digits || len(v) > 1 && v[0] == '0' // which some read as octal
	}
	for _, v := range encodings {
		odd = odd || v != "chunked"
	}
	if odd {
		return fmt.Sprintf("the upstream got Content-Length %q and Transfer-Encoding %q", lengths, encodings)
	}
	return ""
}

// oddLine: a header line that servers read in different ways.
func oddLine(line string) string {
	name, value, ok := strings.Cut(line, ":")
	folded := bare(name)
	switch {
	case !ok, name == "", strings.ContainsAny(name, " \t"), strings.ContainsFunc(name, isControl):
	case strings.ContainsFunc(strings.TrimSpace(value), isControl):
	case (folded == "contentlength" || folded == "transferencoding") && !strings.Contains(name, "-"):
	default:
		return ""
	}
	return fmt.Sprintf("the upstream got the header line %q", line)
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
