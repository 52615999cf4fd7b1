package caddymodule

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// This file is what some servers make of a path that is plain to all others.

// foldPath maps paths that some upstream takes for equal to one of them. Many
// routers ignore case. Windows, asked for a name in an old code page, and Python
// programs that normalise what they get take a letter of full width for its ASCII
// sibling, and file systems of macOS take two spellings of an accent for one.
// It is false for a path that comes to more than most bytes.
func foldPath(path string, most int) (string, bool) {
	if isASCII(path) {
		return strings.ToUpper(path), len(path) <= most // what the rest comes to, at a hundredth of the cost
	}
	var folded []byte
	var next norm.Iter
	for next.InitString(norm.NFKC, path); !next.Done(); {
		if folded = append(folded, next.Next()...); len(folded) > most {
			return "", false
		}
	}
	return foldCase(string(folded)), true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

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
	// maxScripts is more of them than a path has in earnest, and few enough that one
	// which is made of them costs little to refuse.
	maxScripts = 8
)

// scriptExtensions end the names of programs to which servers give the rest of the
// path: PHP's, CGI's, ASP.NET's, ColdFusion's and Java's. Servers ignore their case.
var scriptExtensions = map[string]bool{
	"PHP": true, "PHP3": true, "PHP4": true, "PHP5": true, "PHP7": true, "PHP8": true, "PHTML": true, "PHT": true, "PHAR": true,
	"CGI": true, "FCGI": true, "PL": true, "PY": true, "RB": true, "LUA": true, "SH": true, "EXE": true, "DLL": true,
	"ASP": true, "ASPX": true, "ASHX": true, "ASMX": true, "SVC": true, "CFM": true, "CFC": true, "CFML": true,
	"JSP": true, "JSPX": true, "DO": true, "ACTION": true,
}

// nextData is where Next.js has the data of its pages: what follows the build is the
// path of the page.
const nextData = "/_NEXT/DATA/"

// cgiPrograms is where programs need no extension.
const cgiPrograms = "/CGI-BIN/"

// cutScript cuts a path behind the name of a program, which serves the rest: to
// Symfony, Laravel, ThinkPHP and others, /index.php/pay/1 is /pay/1, whether or not
// links are written so. To a program of its own, /pay.php/1 is /pay.php.
func cutScript(path string) (name, rest string, ok bool) {
	return cutProgram(path, func(extension string) bool { return scriptExtensions[strings.ToUpper(extension)] })
}

// cutWide is cutScript for paths that are closed: any segment with an extension may
// be a program's name, /x.wsgi as well as whatever a server is told to run.
func cutWide(path string) (name, rest string, ok bool) {
	for _, folder := range []string{nextData, cgiPrograms} {
		if below, is := strings.CutPrefix(path, folder); is {
			if slash := strings.IndexByte(below, '/'); slash > 0 {
				return path[:len(folder)+slash], below[slash:], true
			}
		}
	}
	return cutProgram(path, func(extension string) bool { return strings.IndexFunc(extension, unicode.IsLetter) == 0 })
}

func cutProgram(path string, isExtension func(string) bool) (name, rest string, ok bool) {
	dot := -1 // of the segment so far
	for at := range len(path) {
		switch path[at] {
		case '.':
			dot = at
		case '/':
			if dot >= 0 && isExtension(path[dot+1:at]) {
				return path[:at], path[at:], true
			}
			dot = -1
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

// oddSegment matches segments that ASP.NET removes from a path, (S(x)) for a session
// without cookies, and short names of Windows, where PAY~1 is payments.
var oddSegment = regexp.MustCompile(`^\((?i:[a-z]\([^/]*\))+\)$|~[0-9]`)

// narrows reports whether a decoded path has other segments to servers that narrow
// wide characters, or other names to Windows: /public/．．/admin. A segment that is
// more than dots may have wide ones, such as 未完待续…… has.
func narrows(path string) bool {
	if strings.ContainsAny(path, wideSlashes) || strings.Contains(path, streamMark) {
		return true
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment != "" && strings.Trim(segment, wideDots) == "" || oddSegment.MatchString(segment) {
			return true
		}
	}
	return false
}
