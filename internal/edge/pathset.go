package edge

import (
	"fmt"
	"strings"
)

// PathSet matches paths exactly. It is for rules that admit; [LenientSet] is for rules that
// refuse.
type PathSet struct {
	exact    map[string]struct{}
	prefixes []string // each ends in a slash
}

// NewPathSet reads patterns: "/health" matches itself, "/static/*" all paths below /static/,
// and "/*" all paths. A pattern may be escaped or not: "/支付/*" is the same as
// "/%E6%94%AF%E4%BB%98/*".
func NewPathSet(patterns []string) (PathSet, error) {
	set := PathSet{exact: make(map[string]struct{})}
	for _, pattern := range patterns {
		path, isPrefix := strings.CutSuffix(pattern, "*")
		switch {
		case !strings.HasPrefix(path, "/"):
			return set, fmt.Errorf("path %q must begin with a slash", pattern)
		case strings.Contains(path, "*"):
			return set, fmt.Errorf("path %q: a star may only be at the end, after a slash", pattern)
		case isPrefix && !strings.HasSuffix(path, "/"):
			return set, fmt.Errorf("path %q: write %q or %q: a prefix ends at a slash, so that /public does not admit /public-not", pattern, path, path+"/*")
		}
		path, ok := plainPath(path)
		switch {
		case !ok:
			return set, fmt.Errorf("path %q is not canonical: no request could match it", pattern)
		case isPrefix:
			set.prefixes = append(set.prefixes, path)
		default:
			set.exact[path] = struct{}{}
		}
	}
	return set, nil
}

// Empty reports whether the set matches nothing.
func (s PathSet) Empty() bool { return len(s.exact) == 0 && len(s.prefixes) == 0 }

// Match reports whether a canonical path is in the set. It is case-sensitive, like most
// upstreams.
func (s PathSet) Match(path string) bool {
	if _, ok := s.exact[path]; ok {
		return true
	}
	for _, prefix := range s.prefixes {
		below, ok := strings.CutPrefix(path, prefix)
		if !ok {
			continue
		}
		// To make the content of a folder such as /public/example.com/ public, configure that
		// prefix.
		if prefix == "/" || !runsProgram(below) {
			return true
		}
	}
	return false
}
