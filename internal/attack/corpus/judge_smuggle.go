package corpus

import (
	"fmt"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/upstream"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

// desynchronised: the upstream got a request that the gateway did not see, or one whose
// end the next server might read differently.
func desynchronised(e *Evidence) string {
	if why := impersonated(e); why != "" {
		return why
	}
	for _, s := range e.Seen {
		switch {
		case strings.Contains(s.Target, wire.SmuggledPath):
			return fmt.Sprintf("the upstream got the smuggled %s %s", s.Method, s.Target)
		case s.Malformed:
			return "the upstream got malformed chunks"
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

// ambiguousLength: the length of the body appears twice, or in an odd spelling.
func ambiguousLength(s *wire.Seen) string {
	lengths, encodings := s.All("Content-Length"), s.All("Transfer-Encoding")
	odd := len(lengths)+len(encodings) > 1
	for _, v := range lengths {
		digits := v != "" && strings.Trim(v, "0123456789") == ""
		odd = odd || !digits || len(v) > 1 && v[0] == '0' // some servers read it as octal
	}
	for _, v := range encodings {
		odd = odd || v != "chunked"
	}
	if odd {
		return fmt.Sprintf("the upstream got Content-Length %q and Transfer-Encoding %q", lengths, encodings)
	}
	return ""
}

// oddLine: a header line that servers read differently.
func oddLine(line string) string {
	name, value, ok := strings.Cut(line, ":")
	folded := upstream.Bare(name)
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
