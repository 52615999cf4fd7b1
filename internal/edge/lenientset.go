package edge

import (
	"math"
	"strings"
)

// LenientSet matches every path for which some upstream would serve one of the set's paths. It
// is for rules that refuse; a set that admits must be exact.
type LenientSet struct {
	exact    map[string]struct{} // folded, without a slash at the end
	prefixes []string            // folded; each ends in a slash
	longest  int                 // length of the longest in exact
}

// Lenient returns the set for closed paths: see [foldPath]. The routers of Express, ASP.NET and
// others also ignore a trailing slash, and those of Rails and of Spring before 5.3 read the
// text after a dot as a format, so that /PAY, /pay/ or /pay.json would reach a page that is
// closed at /pay.
func (s PathSet) Lenient() LenientSet {
	lenient := LenientSet{exact: make(map[string]struct{})}
	for path := range s.exact {
		lenient.exact[strings.TrimSuffix(foldConfigured(path), "/")] = struct{}{}
	}
	for _, prefix := range s.prefixes {
		prefix = foldConfigured(prefix)
		lenient.prefixes = append(lenient.prefixes, prefix)
		lenient.exact[strings.TrimSuffix(prefix, "/")] = struct{}{}
	}
	for path := range lenient.exact {
		lenient.longest = max(lenient.longest, len(path))
		if hasScriptExtension(path) {
			lenient.prefixes = append(lenient.prefixes, path+"/")
		}
	}
	return lenient
}

// foldConfigured folds a path that the operator wrote, of any length.
func foldConfigured(path string) string {
	folded, _ := foldPath(path, math.MaxInt)
	return folded
}

// Match reports whether some upstream would serve one of the set's paths for a path.
func (s LenientSet) Match(path Path) bool { return s.matchFolded(path.Folded) }

func (s LenientSet) matchFolded(path string) bool {
	if s.matchProgram(path) {
		return true
	}
	page, ok := withoutNextData(path)
	return ok && s.matchProgram(page)
}

func (s LenientSet) matchProgram(path string) bool {
	for range maxScripts {
		name, inner, script := cutScript(path)
		if s.matchExactOrExtension(strings.TrimSuffix(path, "/")) || script && s.matchExactOrExtension(name) {
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
	return true // honest clients don't send such a path
}

// matchExactOrExtension reports whether a path is one of the set's paths, with or without a
// format at its end.
func (s LenientSet) matchExactOrExtension(whole string) bool {
	if _, ok := s.exact[whole]; ok {
		return true
	}
	name := strings.LastIndexByte(whole, '/') + 2 // a dot at the beginning of a name is part of the name
	whole = whole[:min(len(whole), s.longest+1)]  // otherwise each of thousands of dots would cost a lookup of the whole path
	for dot := strings.LastIndexByte(whole, '.'); dot >= name; dot = strings.LastIndexByte(whole[:dot], '.') {
		if _, ok := s.exact[whole[:dot]]; ok {
			return true
		}
	}
	return false
}
