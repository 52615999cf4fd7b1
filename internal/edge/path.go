package edge

import (
	"net/http"

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
	path := Path{Plain: r.URL.Path}
	switch {
	case e.ComparesPaths && pathTooLong(r):
		return path, errPathTooLong
	case e.ComparesPaths && !CanonicalRequestPath(r):
		return path, problem.BadRequest(NotCanonical)
	case !e.FoldsPaths:
		return path, nil
	}
	var ok bool
	if path.Folded, ok = foldPath(path.Plain, maxPathBytes); !ok {
		return path, errPathTooLong
	}
	return path, nil
}
