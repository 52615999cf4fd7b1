package edge

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

// maxPathBytes bounds the paths that are decided on, as sent and as folded: some
// characters come to eighteen. Real paths have some hundred bytes. Looking at longer
// ones costs processor time that an unauthenticated client does not pay for.
const maxPathBytes = 2 << 10

// NotCanonical is the detail of a refusal by [CanonicalRequestPath].
const NotCanonical = "Send the path in its plain form: no dot segments, empty segments, path parameters or needless escapes."

var errPathTooLong = problem.BadRequest("The path is longer than 2 KiB. Send a shorter one.")

// Path is a path in the two spellings that decisions need. It is folded once, however
// many requirements there are: otherwise 29 bytes of HTTP/2, which name a long path
// that was sent before, would cost milliseconds.
type Path struct {
	Plain  string
	Folded string // empty if no set is lenient
}

// pathTooLong is called before anything else reads a path. An escaped byte has three
// characters.
func pathTooLong(r *http.Request) bool {
	return len(r.URL.Path) > maxPathBytes || len(r.URL.RawPath) > 3*maxPathBytes
}

// path reads the path that a request is decided on.
func (e *Edge) path(r *http.Request) (Path, error) {
	in := Path{Plain: r.URL.Path}
	switch {
	case e.ComparesPaths && pathTooLong(r):
		return in, errPathTooLong
	case e.ComparesPaths && !CanonicalRequestPath(r):
		return in, problem.BadRequest(NotCanonical)
	case !e.FoldsPaths:
		return in, nil
	}
	var ok bool
	if in.Folded, ok = foldPath(in.Plain, maxPathBytes); !ok {
		return in, errPathTooLong
	}
	return in, nil
}

// errNoSuchCall is a path under the prefix that no call has: /v1.0/pub/openid, say.
var errNoSuchCall = fmt.Errorf("%w: no call of the login API has this path", auth.ErrNotFound)

// belongsToAPI reports whether a path is the prefix or below it, in any case and in any of
// the spellings that servers clean up. None of them is forwarded: a misspelled call would
// send its code or token to an upstream, which may log it. An empty prefix has no such
// paths.
func belongsToAPI(r *http.Request, prefix string) bool {
	if prefix == "" {
		return false
	}
	decoded := r.URL.Path
	return isBelow(decoded, prefix) || !isPlain(decoded) && isBelow(cleanedPath(decoded), prefix)
}

func isBelow(full, prefix string) bool {
	return len(full) >= len(prefix) && strings.EqualFold(full[:len(prefix)], prefix) && (len(full) == len(prefix) || full[len(prefix)] == '/')
}

// cleanedPath returns a path as a server may route it that decodes twice, reads a backslash
// as a slash, drops path parameters, and resolves dot segments.
func cleanedPath(decoded string) string {
	if !strings.ContainsAny(decoded, `%;\`) && !strings.Contains(decoded, "//") && !strings.Contains(decoded, "/.") {
		return decoded // as nearly every path is
	}
	if twice, err := url.PathUnescape(decoded); err == nil {
		decoded = twice
	}
	segments := strings.Split(strings.ReplaceAll(decoded, `\`, "/"), "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return path.Clean("/" + strings.Join(segments, "/"))
}
