package writer

import (
	"io"
	"net/http"
)

// Base is embedded in writers that change or watch a response. It keeps the optional interfaces
// of the server's writer.
type Base struct {
	http.ResponseWriter
}

// Unwrap is for [http.ResponseController].
func (w Base) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ReadFrom keeps sendfile for files.
func (w Base) ReadFrom(r io.Reader) (int64, error) {
	if from, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		return from.ReadFrom(r)
	}
	return io.Copy(w.ResponseWriter, r)
}

// Push implements [http.Pusher].
func (w Base) Push(target string, options *http.PushOptions) error {
	if pusher, ok := w.ResponseWriter.(http.Pusher); ok {
		return pusher.Push(target, options)
	}
	return http.ErrNotSupported
}
