package edge

import (
	pathpkg "path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// This file has the readings of a path that only some servers use.

// foldPath maps all paths that some upstream considers equal to the same path. Many routers
// ignore case. Windows, with a name in an old code page, and Python programs that normalize
// their input read a fullwidth letter as the ASCII letter. File systems of macOS treat two
// spellings of an accent as equal. foldPath returns false if the folded path has more than most
// bytes.
func foldPath(path string, most int) (string, bool) {
	if isASCII(path) {
		return strings.ToUpper(path), len(path) <= most // same result as below, at a hundredth of the cost
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

// foldCase maps letters that differ only in case to the same letter, by the rules of Unicode:
// the Kelvin sign is a k.
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
	// maxScripts is the maximum number of program names in a path. Real paths have fewer, and
	// refusing a longer path costs little.
	maxScripts = 8
)

// nextData is the path of the data of Next.js pages. The path of the page follows the build ID,
// and the basePath precedes nextData.
const nextData = "/_NEXT/DATA/"

// cgiPrograms is the folder where programs need no extension.
const cgiPrograms = "/CGI-BIN/"

// cutScript splits a folded path after a possible program name; the program serves the rest.
// Symfony, Laravel, ThinkPHP and others read /index.php/pay/1 as /pay/1, even if they don't
// write such links. For a separate program, /pay.php/1 is /pay.php. Any segment with an
// extension may be the name of a program, /x.wsgi as well as any other that a server is
// configured to run.
func cutScript(path string) (name, rest string, ok bool) {
	// Split after the first name: otherwise the path between two names would not be checked.
	cut := min(endOfProgram(path), endBelow(path, nextData), endBelow(path, cgiPrograms))
	return path[:cut], path[cut:], cut < len(path)
}

// endBelow returns the end of the name after a folder, if more follows; otherwise the end of
// the path.
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

// runsProgram reports whether a path below a public prefix may be served by a program there.
// The program decides what it serves: /public/x.wsgi/admin may be /admin. Servers that convert
// fullwidth characters read /public/x．wsgi/admin in the same way.
func runsProgram(below string) bool {
	folded, ok := foldPath("/"+below, maxPathBytes)
	return !ok || min(endOfProgram(folded), endBelow(folded, cgiPrograms)) < len(folded)
}

// withoutNextData returns the page to which the data at a folded path belongs, if Next.js has a
// basePath: /docs/_next/data/<build>/pay.json is /docs/pay.json.
func withoutNextData(path string) (string, bool) {
	mount, _, _ := strings.Cut(path, nextData)
	end := endBelow(path, nextData)
	if end == len(path) || mount == "" {
		return "", false
	}
	return mount + path[end:], true
}

// endOfProgram returns the end of the first segment with an extension, if more follows;
// otherwise the end of the path. /v1.2/ has no extension.
func endOfProgram(folded string) int {
	for at := range len(folded) {
		if folded[at] == '/' && hasScriptExtension(folded[:at]) {
			return at
		}
	}
	return len(folded)
}

// hasScriptExtension reports whether a path may be the name of a program, such as /pay.aspx, to
// which servers pass the rest of the path. /v1.0 is not.
func hasScriptExtension(name string) bool {
	return strings.IndexFunc(pathpkg.Ext(name), unicode.IsLetter) == len(".")
}

const (
	// wideSlashes become a slash or a backslash when Windows converts a path to a code page
	// without them ("best fit"), or when a program normalizes it.
	wideSlashes = "／⁄∕＼∖℀℁℅℆"
	// wideDots become one or more dots in the same way.
	wideDots = ".．․‥…。｡"
	// streamMark begins the type of an NTFS stream: Windows opens x::$DATA as x, and
	// x::$INDEX_ALLOCATION as the folder x.
	streamMark = "::$"
)

// oddSegment matches segments that ASP.NET removes from a path, such as (S(x)) for a session
// without cookies, and short names of Windows, where PAY~1 is payments.
var oddSegment = regexp.MustCompile(`^\((?i:[a-z]\([^/]*\))+\)$|~[0-9]`)

// mayBeOdd reports whether a character may be part of a match of hasFullwidthSeparators.
func mayBeOdd(c rune) bool { return c >= utf8.RuneSelf || c == '.' || c == ':' || c == '(' || c == '~' }

// hasFullwidthSeparators reports whether a decoded path has other segments on servers that
// convert fullwidth characters, or other names on Windows: /public/．．/admin. Wide dots are
// allowed in a segment with other characters, such as 未完待续…….
func hasFullwidthSeparators(path string) bool {
	if !strings.ContainsFunc(path, mayBeOdd) {
		return false // fast path for nearly all paths, at a tenth of the cost
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
