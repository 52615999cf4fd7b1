package transport

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// isPlain reports whether a request is for HTTP/1.1, has no body, does not change how the
// connection is used, and does not need to be rewritten.
func isPlain(r *http.Request) bool {
	if r.URL == nil || r.URL.Scheme != "http" || r.URL.Host == "" || r.Header == nil {
		return false
	}
	if r.Body != nil && r.Body != http.NoBody || len(r.Trailer) > 0 || len(r.TransferEncoding) > 0 {
		return false
	}
	if r.Method == http.MethodConnect || r.Close || r.Cancel != nil { //nolint:staticcheck // deprecated, but net/http still uses it
		return false
	}
	for _, name := range [...]string{"Connection", "Upgrade", "Expect"} {
		if _, ok := r.Header[name]; ok {
			return false
		}
	}
	return isPlainHost(cmp.Or(r.Host, r.URL.Host))
}

// isPlainHost reports whether a host is sent unchanged. net/http converts international names,
// removes the zones of addresses, and clears invalid hosts.
func isPlainHost(host string) bool {
	return httpguts.ValidHostHeader(host) && !strings.Contains(host, "%")
}

// outgoing is a request and its checked properties.
type outgoing struct {
	*http.Request
	method string
	uri    string
	gzip   bool // request it; see asksForGzip
	trace  *httptrace.ClientTrace
}

// outgoing prepares a request. Like net/http's Transport, it refuses characters that would
// change the meaning of the request on the wire. Errors don't contain the value of a header,
// which may be a secret.
func (t *Transport) outgoing(r *http.Request) (outgoing, error) {
	out := outgoing{Request: r, method: cmp.Or(r.Method, http.MethodGet), uri: r.URL.RequestURI(), gzip: t.asksForGzip(r)}
	if !httpguts.ValidHeaderFieldName(out.method) { // methods and header names are tokens
		return out, fmt.Errorf("invalid method %q", r.Method)
	}
	if strings.ContainsFunc(out.uri, isControl) {
		return out, errors.New("control character in the URL")
	}
	if out.trace = httptrace.ContextClientTrace(r.Context()); out.trace == nil {
		out.trace = new(httptrace.ClientTrace)
	}
	return out, validate(r.Header)
}

func validate(header http.Header) error {
	for name, values := range header {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("invalid header name %q", name)
		}
		if slices.ContainsFunc(values, invalidValue) {
			return fmt.Errorf("invalid value of header %q", name)
		}
	}
	return nil
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

func invalidValue(value string) bool { return !httpguts.ValidHeaderFieldValue(value) }

// defaultUserAgent is net/http's. reverse_proxy sends the client's User-Agent, or none.
const defaultUserAgent = "Go-http-client/1.1"

// write writes the request like [http.Request.Write], but without sorting the headers. The next
// Flush returns its errors.
func (out *outgoing) write(w *bufio.Writer) {
	writeAll(w, out.method, " ", out.uri, " HTTP/1.1\r\nHost: ", cmp.Or(out.Host, out.URL.Host), "\r\n")
	userAgent := defaultUserAgent
	if _, ok := out.Header["User-Agent"]; ok {
		userAgent = out.Header.Get("User-Agent")
	}
	if userAgent != "" {
		writeField(w, "User-Agent", userAgent)
	}
	if out.method == http.MethodPost || out.method == http.MethodPut || out.method == http.MethodPatch {
		writeField(w, "Content-Length", "0")
	}
	for name, values := range out.Header {
		if isWrittenElsewhere(name) {
			continue
		}
		for _, value := range values {
			writeField(w, name, value)
		}
	}
	if out.gzip {
		writeField(w, "Accept-Encoding", "gzip")
	}
	writeAll(w, "\r\n")
}

// isWrittenElsewhere reports whether a header is a field of the request: its value in the
// map has no meaning, and a second one would make the length or the host ambiguous.
func isWrittenElsewhere(name string) bool {
	switch name {
	case "Host", "User-Agent", "Content-Length", "Transfer-Encoding", "Trailer":
		return true
	}
	return false
}

func writeField(w *bufio.Writer, name, value string) {
	writeAll(w, name, ": ", textproto.TrimString(value), "\r\n")
}

func writeAll(w *bufio.Writer, texts ...string) {
	for _, text := range texts {
		_, _ = w.WriteString(text)
	}
}

// wrote reports to the trace that the request was written.
func (out *outgoing) wrote(err error) {
	if err == nil && out.trace.WroteHeaders != nil {
		out.trace.WroteHeaders()
	}
	if out.trace.WroteRequest != nil {
		out.trace.WroteRequest(httptrace.WroteRequestInfo{Err: err})
	}
}
