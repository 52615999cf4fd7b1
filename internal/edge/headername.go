package edge

import (
	"fmt"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// unusableHeaders are names that HTTP or the proxy uses: an identity in such a header would be
// dropped, or would change how the request is sent.
var unusableHeaders = map[string]struct{}{
	"authorization": {}, "proxy-authorization": {}, "cookie": {}, "host": {}, "connection": {}, "keep-alive": {},
	"proxy-connection": {}, "proxy-authenticate": {}, "te": {}, "trailer": {}, "transfer-encoding": {}, "upgrade": {},
	"content-length": {}, "content-type": {}, "expect": {}, "early-data": {}, "via": {}, "forwarded": {},
	"x-forwarded-for": {}, "x-forwarded-host": {}, "x-forwarded-proto": {},
}

// CheckHeaderName returns an error if a header cannot carry an identity.
func CheckHeaderName(name string) error {
	if !httpguts.ValidHeaderFieldName(name) || strings.ContainsAny(name, "_.") {
		return fmt.Errorf("header name %q: use letters, digits and hyphens", name)
	}
	if _, ok := unusableHeaders[foldHeaderName(name)]; ok {
		return fmt.Errorf("header name %q cannot carry an identity: HTTP or the proxy uses it", name)
	}
	return nil
}

// matchFolded reports whether the folded form of a header name begins with a folded name, and
// whether both are equal. It does not allocate: it runs for every header of every request.
func matchFolded(name, folded string) (begins, whole bool) {
	at := skipMarks(name, 0)
	for i := range len(folded) {
		if at == len(name) || foldByte(name[at]) != folded[i] {
			return false, false
		}
		if at++; folded[i] == '-' {
			at = skipMarks(name, at)
		}
	}
	return true, skipMarks(name, at) == len(name)
}

func skipMarks(name string, at int) int {
	for at < len(name) && foldByte(name[at]) == '-' {
		at++
	}
	return at
}

// foldHeaderName returns a name in lower case, with each run of marks replaced with a hyphen,
// and without marks at the ends.
func foldHeaderName(name string) string {
	var b []byte
	for i := range len(name) {
		c := foldByte(name[i])
		if c != '-' || len(b) > 0 && b[len(b)-1] != '-' {
			b = append(b, c)
		}
	}
	return strings.TrimSuffix(string(b), "-")
}

func foldByte(c byte) byte {
	if !isAlphanumeric(c) {
		return '-'
	}
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
