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

// cutScript cuts a path behind the name of a PHP program, which serves the rest: to
// Symfony, Laravel, ThinkPHP and others, /index.php/pay/1 is /pay/1, whether or not
// links are written so. To a program of its own, /pay.php/1 is /pay.php.
func cutScript(path string) (name, rest string, ok bool) {
	for at := range len(path) - len(script) + 1 {
		if end := at + len(script); strings.EqualFold(path[at:end], script) { // servers ignore its case
			return path[:end-1], path[end-1:], true
		}
	}
	return "", "", false
}

// program reports whether a path may name one, such as /pay.aspx, to which servers
// give the rest of the path. /v1.0 does not.
func program(path string) bool {
	dot := strings.LastIndexAny(path, "./")
	return dot >= 0 && path[dot] == '.' && strings.IndexFunc(path[dot+1:], unicode.IsLetter) == 0
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
