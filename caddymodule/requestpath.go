package caddymodule

import (
	"net/http"

	"github.com/wxgate/wxgate/internal/problem"
)

// maxPathBytes bounds the paths that are decided on, as sent and as folded: some
// characters come to eighteen. Real paths have some hundred bytes. Looking at longer
// ones costs processor time that an unauthenticated client does not pay for.
const maxPathBytes = 2 << 10

var errPathTooLong = problem.BadRequest("The path is longer than 2 KiB. Send a shorter one.")

// requestPath is a path in the two spellings that decisions need. It is folded once,
// however many requirements there are: otherwise 29 bytes of HTTP/2, which name a
// long path that was sent before, would cost milliseconds.
type requestPath struct {
	plain  string
	folded string // empty without any requirement
}

// pathTooLong is asked before anything else looks at a path. An escaped byte has
// three characters.
func pathTooLong(r *http.Request) bool {
	return len(r.URL.Path) > maxPathBytes || len(r.URL.RawPath) > 3*maxPathBytes
}

// requestPath reads the path that a request is decided on.
func (g *guard) requestPath(r *http.Request) (requestPath, error) {
	path := requestPath{plain: r.URL.Path}
	switch decides := g.decidesOnPaths(); {
	case decides && pathTooLong(r):
		return path, errPathTooLong
	case decides && !canonicalRequestPath(r):
		return path, problem.BadRequest("Send the path in its plain form: no dot segments, empty segments, path parameters or needless escapes.")
	case len(g.require) == 0:
		return path, nil
	}
	var ok bool
	if path.folded, ok = foldPath(path.plain, maxPathBytes); !ok {
		return path, errPathTooLong
	}
	return path, nil
}
