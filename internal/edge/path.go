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

// maxPathBytes bounds the paths of requests, as sent and as folded: folding can make 18
// characters of one. Real paths have some hundred bytes. Without the limit, an unauthenticated
// client could use much CPU time with long paths.
const maxPathBytes = 2 << 10

// NotCanonical is the detail of a refusal by [CanonicalRequestPath].
const NotCanonical = "Send the path in its plain form: no dot segments, empty segments, path parameters or needless escapes."

var errPathTooLong = problem.BadRequest("The path is longer than 2 KiB. Send a shorter one.")

// Path is a path in the two spellings that decisions need. It is folded only once for all
// requirements: otherwise 29 bytes of HTTP/2, which refer to a long path that was sent before,
// would cost milliseconds.
type Path struct {
	Plain  string
	Folded string // empty if no set is lenient
}

// pathTooLong is called before any other code reads a path. An escaped byte has three
// characters.
func pathTooLong(r *http.Request) bool {
	return len(r.URL.Path) > maxPathBytes || len(r.URL.RawPath) > 3*maxPathBytes
}

// path reads the path on which the gateway decides.
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

// errNoSuchCall is for a path under the prefix that is not a call, for example
// /v1.0/pub/openid.
var errNoSuchCall = fmt.Errorf("%w: no call of the login API has this path", auth.ErrNotFound)

// belongsToAPI reports whether a path is the prefix or below it, in any letter case and in any
// spelling that servers clean up. Such paths are not forwarded: a misspelled call would send
// its code or token to an upstream, which may log it. An empty prefix has no such paths.
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

// cleanedPath returns a path as routed by a server that decodes twice, reads a backslash as a
// slash, drops path parameters, and resolves dot segments.
func cleanedPath(decoded string) string {
	if !strings.ContainsAny(decoded, `%;\`) && !strings.Contains(decoded, "//") && !strings.Contains(decoded, "/.") {
		return decoded // as in nearly all paths
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
