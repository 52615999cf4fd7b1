package caddymodule

import "net/http"

// maxPathBytes bounds the paths that are decided on. Browsers and proxies send some
// kilobytes at most, in the query and not in the path; folding a longer one costs
// processor time that an unauthenticated client does not pay for.
const maxPathBytes = 2 << 10

// requestPath is a path in the two spellings that decisions need. It is folded once,
// however many requirements there are: otherwise 29 bytes of HTTP/2, which name a
// long path that was sent before, would cost milliseconds.
type requestPath struct {
	plain  string
	folded string // empty without any requirement
}

// requestPath reads the path that a request is decided on.
func (h *Handler) requestPath(r *http.Request) (requestPath, error) {
	path := requestPath{plain: r.URL.Path}
	if !h.decidesOnPaths() {
		return path, nil
	}
	if len(path.plain) > maxPathBytes {
		return path, badRequest("The path is longer than 2 KiB. Send a shorter one.")
	}
	if len(h.require) > 0 {
		path.folded = foldPath(path.plain)
	}
	return path, nil
}
