package edge

import (
	pathpkg "path"
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

// nextData is where Next.js has the data of its pages: what follows the build is the
// path of the page, below the basePath that comes before it.
const nextData = "/_NEXT/DATA/"

// cgiPrograms is where programs need no extension.
const cgiPrograms = "/CGI-BIN/"

// cutScript cuts a folded path behind the name of what may be a program, which serves
// the rest: to Symfony, Laravel, ThinkPHP and others, /index.php/pay/1 is /pay/1,
// whether or not links are written so. To a separate program, /pay.php/1 is /pay.php.
// Any segment with an extension may be a program's name, /x.wsgi as well as any that a
// server is configured to run.
func cutScript(path string) (name, rest string, ok bool) {
	// The first, or what lies between two would not be looked at.
	cut := min(endOfProgram(path), endBelow(path, nextData), endBelow(path, cgiPrograms))
	return path[:cut], path[cut:], cut < len(path)
}

// endBelow is where the name ends that comes after a folder, if more follows; otherwise
// the end of the path.
func endBelow(path, folder string) int {
	at := strings.Index(path, folder)
	if at < 0 {
		return len(path)
	}
	at += len(folder)
	slash := strings.IndexByte(path[at:], '/')
	if slash < 0 {
		return len(path)
	}
	return at + slash
}

// runsProgram reports whether a path below a public prefix may be served by a program
// there, which decides alone what it serves: /public/x.wsgi/admin may be /admin. Servers
// that narrow wide characters read /public/x．wsgi/admin in the same way.
func runsProgram(below string) bool {
	folded, ok := foldPath("/"+below, maxPathBytes)
	return !ok || min(endOfProgram(folded), endBelow(folded, cgiPrograms)) < len(folded)
}

// withoutNextData is the page whose data a folded path names, where Next.js has a
// basePath: /docs/_next/data/<build>/pay.json is /docs/pay.json.
func withoutNextData(path string) (string, bool) {
	mount, _, _ := strings.Cut(path, nextData)
	end := endBelow(path, nextData)
	if end == len(path) || mount == "" {
		return "", false
	}
	return mount + path[end:], true
}

// endOfProgram is where the first segment with an extension ends, if more follows;
// otherwise the end of the path. /v1.2/ has no extension.
func endOfProgram(folded string) int {
	for at := range len(folded) {
		if folded[at] == '/' && hasScriptExtension(folded[:at]) {
			return at
		}
	}
	return len(folded)
}

// hasScriptExtension reports whether a path may name a program, such as /pay.aspx, to
// which servers give the rest of the path. /v1.0 does not.
func hasScriptExtension(name string) bool {
	return strings.IndexFunc(pathpkg.Ext(name), unicode.IsLetter) == len(".")
}

const (
	// wideSlashes are a slash or a backslash once Windows has put a path into a code
	// page that lacks them ("best fit"), or a program has normalised it.
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

// mayBeOdd reports whether a character may be a part of what hasFullwidthSeparators looks
// for.
func mayBeOdd(c rune) bool { return c >= utf8.RuneSelf || c == '.' || c == ':' || c == '(' || c == '~' }

// hasFullwidthSeparators reports whether a decoded path has other segments to servers that narrow
// wide characters, or other names to Windows: /public/．．/admin. A segment that is
// more than dots may have wide ones, such as 未完待续…… has.
func hasFullwidthSeparators(path string) bool {
	if !strings.ContainsFunc(path, mayBeOdd) {
		return false // as in nearly every path, at a tenth of the cost
	}
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
