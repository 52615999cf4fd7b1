package caddymodule

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// This file is what some servers make of a path that is plain to all others.

// foldPath maps paths that some upstream takes for equal to one of them. Many
// routers ignore case. Windows, asked for a name in an old code page, and Python
// programs that normalise what they get take a letter of full width for its ASCII
// sibling, and file systems of macOS take two spellings of an accent for one.
func foldPath(path string) string { return foldCase(norm.NFKC.String(path)) }

// foldCase maps letters that differ in case only, as Unicode has it: the Kelvin
// sign is a k.
func foldCase(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, s)
}

const (
	// script ends the name of a program to which its server gives the rest of the
	// path.
	script = ".php/"
	// maxScripts is more of them than a path has in earnest, and few enough that one
	// which is made of them costs little to refuse.
	maxScripts = 8
)

// afterScript is the path that a PHP program serves: to Symfony, Laravel, ThinkPHP
// and others, /index.php/pay/1 is /pay/1, whether or not links are written so.
func afterScript(path string) (rest string, ok bool) {
	for at := range len(path) - len(script) + 1 {
		if strings.EqualFold(path[at:at+len(script)], script) { // servers ignore its case
			return path[at+len(script)-1:], true
		}
	}
	return "", false
}

const (
	// wideSlashes are a slash or a backslash once Windows has put a path into a code
	// page that lacks them ("best fit"), or somebody has normalised it.
	wideSlashes = "／⁄∕＼∖℀℁℅℆"
	// wideDots are one or more dots in the same way.
	wideDots = ".．․‥…。｡"
	// streamMark begins the type of an NTFS stream: Windows opens x::$DATA as x, and
	// x::$INDEX_ALLOCATION as the folder x.
	streamMark = "::$"
)

// narrows reports whether a decoded path has other segments to servers that narrow
// wide characters, or other names to Windows: /public/．．/admin. A segment that is
// more than dots may have wide ones, such as 未完待续…… has.
func narrows(path string) bool {
	if strings.ContainsAny(path, wideSlashes) || strings.Contains(path, streamMark) {
		return true
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment != "" && strings.Trim(segment, wideDots) == "" {
			return true
		}
	}
	return false
}
