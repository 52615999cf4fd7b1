package transport

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"sync"
)

// asksForGzip reports whether to request a compressed response for a caller that did not
// request an encoding. net/http's Transport does the same.
func (t *Transport) asksForGzip(r *http.Request) bool {
	return !t.settings.DisableCompression && r.Method != http.MethodHead &&
		len(r.Header["Accept-Encoding"]) == 0 && len(r.Header["Range"]) == 0
}

// decompress changes a response to its form without gzip.
func decompress(response *http.Response, body *body) {
	if !strings.EqualFold(response.Header.Get("Content-Encoding"), "gzip") {
		return
	}
	response.Body = &gzipBody{body: body}
	response.Header.Del("Content-Encoding")
	response.Header.Del("Content-Length")
	response.ContentLength = -1
	response.Uncompressed = true
}

// gzipBody decompresses a body. It begins at the first Read.
type gzipBody struct {
	body *body

	mu     sync.Mutex
	reader *gzip.Reader
	err    error // error of the first Read
}

// Read reads the decompressed body.
func (g *gzipBody) Read(p []byte) (int, error) {
	g.mu.Lock()
	if g.reader == nil && g.err == nil {
		g.reader, g.err = gzip.NewReader(g.body)
	}
	reader, err := g.reader, g.err
	g.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return reader.Read(p)
}

// Close closes the body.
func (g *gzipBody) Close() error { return g.body.Close() }

var _ io.ReadCloser = (*gzipBody)(nil)
