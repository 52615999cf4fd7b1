package caddymodule

import (
	"fmt"
	"math"
	"strings"
)

// pathSet matches request paths: whole paths, and prefixes that end at a slash.
type pathSet struct {
	exact    map[string]struct{}
	prefixes []string // each ends in a slash
	// A wide set is asked with closes, for whatever some upstream would serve for one
	// of its paths. It is for sets that refuse: one that lets through must not be.
	longest int // length of the longest in exact, of a wide set
}

// widened returns the set for paths that are closed to somebody: see [foldPath].
// The routers of Express, ASP.NET and others ignore a slash at the end too, and
// those of Rails and of Spring before 5.3 take what follows a dot for a format, so
// that /PAY, /pay/ or /pay.json would reach what is closed at /pay.
func (s pathSet) widened() pathSet {
	wide := pathSet{exact: make(map[string]struct{})}
	for path := range s.exact {
		wide.exact[strings.TrimSuffix(foldConfigured(path), "/")] = struct{}{}
	}
	for _, prefix := range s.prefixes {
		prefix = foldConfigured(prefix)
		wide.prefixes = append(wide.prefixes, prefix)
		wide.exact[strings.TrimSuffix(prefix, "/")] = struct{}{}
	}
	for path := range wide.exact {
		wide.longest = max(wide.longest, len(path))
		if program(path) {
			wide.prefixes = append(wide.prefixes, path+"/")
		}
	}
	return wide
}

// foldConfigured folds a path that the operator wrote, of any length.
func foldConfigured(path string) string {
	folded, _ := foldPath(path, math.MaxInt)
	return folded
}

// newPathSet reads patterns: "/health" matches itself, "/static/*" whatever
// lies below /static/, "/*" everything. Each is written as people read it or as
// it is sent: "/支付/*" is "/%E6%94%AF%E4%BB%98/*".
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

func (s pathSet) empty() bool { return len(s.exact) == 0 && len(s.prefixes) == 0 }

// match expects a path that is canonical. Case counts, as it does to most upstreams.
func (s pathSet) match(path string) bool {
	if _, ok := s.exact[path]; ok {
		return true
	}
	for _, prefix := range s.prefixes {
		below, ok := strings.CutPrefix(path, prefix)
		if !ok {
			continue
		}
		// To make what is in a folder such as /public/example.com/ public, name that prefix.
		if prefix == "/" || !runsProgram(below) {
			return true
		}
	}
	return false
}

// closes is match of a wide set, for a path that was folded.
func (s pathSet) closes(path string) bool {
	if s.closesScript(path) {
		return true
	}
	page, ok := withoutNextData(path)
	return ok && s.closesScript(page)
}

func (s pathSet) closesScript(path string) bool {
	for range maxScripts {
		name, inner, script := cutScript(path)
		if s.closesWhole(strings.TrimSuffix(path, "/")) || script && s.closesWhole(name) {
			return true
		}
		for _, prefix := range s.prefixes {
			if strings.HasPrefix(path, prefix) {
				return true
			}
		}
		if !script {
			return false
		}
		path = inner
	}
	return true // whoever writes such a path looks for a way around
}

// closesWhole reports whether a path is one of the set's, or one with a format at
// its end.
func (s pathSet) closesWhole(whole string) bool {
	if _, ok := s.exact[whole]; ok {
		return true
	}
	name := strings.LastIndexByte(whole, '/') + 2 // a dot that begins a name is part of it
	whole = whole[:min(len(whole), s.longest+1)]  // or thousands of dots would cost as many looks at the whole path
	for dot := strings.LastIndexByte(whole, '.'); dot >= name; dot = strings.LastIndexByte(whole[:dot], '.') {
		if _, ok := s.exact[whole[:dot]]; ok {
			return true
		}
	}
	return false
}
