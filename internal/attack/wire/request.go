package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// Field is one header line. Its name is sent unchanged.
type Field struct{ Name, Value string }

// Request is one request, byte by byte. Placeholders in braces in any part of it are replaced
// when it is sent: {token}, {forged}, {victim}, {code}, {host} and {upstream}.
type Request struct {
	Method  string // default GET
	Path    string // the request target
	Header  []Field
	Body    string
	Chunked bool // the body is sent without a length
	Trailer []Field
	// Protocol is the :protocol of an extended CONNECT.
	Protocol string
	// Verbatim keeps upper case in the names of HTTP/2 and HTTP/3, which do not allow it.
	Verbatim bool
	// Raw, if set, replaces all of the above: the bytes of a request over HTTP/1.1.
	Raw string
	// Early sends the request in the early data of a resumed connection.
	Early bool
}

// method returns the request's method, by default GET.
func (r *Request) method() string {
	if r.Method == "" {
		return "GET"
	}
	return r.Method
}

// Fill replaces the placeholders in braces.
func (r Request) Fill(placeholders *strings.Replacer) Request {
	fields := func(in []Field) []Field {
		var out []Field
		for _, f := range in {
			out = append(out, Field{placeholders.Replace(f.Name), placeholders.Replace(f.Value)})
		}
		return out
	}
	r.Method, r.Path, r.Body = placeholders.Replace(r.Method), placeholders.Replace(r.Path), placeholders.Replace(r.Body)
	r.Raw = measure(placeholders.Replace(r.Raw))
	r.Header, r.Trailer = fields(r.Header), fields(r.Trailer)
	return r
}

// measure replaces {length} with the length of the body, and {hex} with the length of a chunk,
// after the other placeholders were replaced.
func measure(raw string) string {
	const headEnd, chunkEnd = "\r\n\r\n", "\r\n0\r\n\r\n"
	if before, after, ok := strings.Cut(raw, "{hex}\r\n"); ok {
		chunk, _, _ := strings.Cut(after, chunkEnd)
		raw = before + strconv.FormatInt(int64(len(chunk)), 16) + "\r\n" + after
	}
	head, body, ok := strings.Cut(raw, headEnd)
	if !ok {
		return raw
	}
	n := int64(len(body))
	return strings.NewReplacer(
		"{length}", strconv.FormatInt(n, 10), "{length-hex}", strconv.FormatInt(n, 16), "{length-octal}", strconv.FormatInt(n, 8),
	).Replace(head) + headEnd + body
}

// Bytes returns the request in HTTP/1.1, as Send sends it to a host.
func (r *Request) Bytes(host string) []byte {
	if r.Raw != "" {
		return []byte(r.Raw)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.method(), r.Path, host)
	for _, f := range r.Header {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	switch {
	case r.Chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		if r.Body != "" {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(r.Body), r.Body)
		}
		b.WriteString("0\r\n")
		for _, f := range r.Trailer {
			fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
		}
		b.WriteString("\r\n")
	case r.Body != "" || r.method() == "POST":
		b.WriteString("Content-Length: " + strconv.Itoa(len(r.Body)) + "\r\n\r\n" + r.Body)
	default:
		b.WriteString("\r\n")
	}
	return []byte(b.String())
}

// block returns the request's header section for HTTP/2 and HTTP/3.
func (r *Request) block(authority string) []Field {
	fields := []Field{{":method", r.method()}}
	if r.method() != "CONNECT" || r.Protocol != "" {
		fields = append(fields, Field{":scheme", "https"}, Field{":path", r.Path})
	}
	if r.method() == "CONNECT" && r.Protocol == "" {
		authority = r.Path
	}
	fields = append(fields, Field{":authority", authority})
	if r.Protocol != "" {
		fields = append(fields, Field{":protocol", r.Protocol})
	}
	for _, f := range r.Header {
		fields = append(fields, r.lower(f))
	}
	if !r.Chunked && r.method() != "CONNECT" && (r.Body != "" || r.method() == "POST") {
		fields = append(fields, Field{"content-length", strconv.Itoa(len(r.Body))})
	}
	return fields
}

func (r *Request) lower(f Field) Field {
	if !r.Verbatim {
		f.Name = strings.ToLower(f.Name)
	}
	return f
}

// String returns the request on one line, for a report.
func (r *Request) String() string {
	if r.Raw != "" {
		return clip(strconv.Quote(r.Raw))
	}
	parts := []string{r.method() + " " + r.Path}
	if r.Protocol != "" {
		parts[0] += " (:protocol " + r.Protocol + ")"
	}
	for _, f := range r.Header {
		if f != (Field{"Authorization", "Bearer {token}"}) {
			parts = append(parts, f.Name+": "+f.Value)
		}
	}
	if r.Body != "" {
		parts = append(parts, "body "+r.Body)
	}
	for _, f := range r.Trailer {
		parts = append(parts, "trailer "+f.Name+": "+f.Value)
	}
	return clip(strings.Join(parts, " | "))
}

// maxShown is how many bytes of a request a report shows: some have megabytes.
const maxShown = 400

func clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return s[:maxShown] + "…"
}
