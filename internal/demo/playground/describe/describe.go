// Package describe turns requests and responses into what the playground shows of them.
package describe

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Header is one header line, and what the gateway did with it.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Mark  string `json:"mark,omitempty"` // added, replaced or removed; else it is as the client sent it
}

// MaxShown is how much of a body the page shows, in bytes.
const MaxShown = 8 << 10

// Claims is a JWT, decoded and not verified: the page shows what the gateway issued.
type Claims struct {
	Header  json.RawMessage `json:"header"`
	Payload json.RawMessage `json:"payload"`
}

// DecodeToken decodes a JWT; nil if it is none.
func DecodeToken(token string) *Claims {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	var c Claims
	for i, into := range []*json.RawMessage{&c.Header, &c.Payload} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || !json.Valid(text) {
			return nil
		}
		*into = text
	}
	return &c
}

// Bearer decodes the token of an Authorization header.
func Bearer(h http.Header) *Claims {
	token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	if !ok {
		return nil
	}
	return DecodeToken(token)
}

// Issued decodes the access token in a response.
func Issued(body string) *Claims {
	var in struct {
		Token string `json:"access_token"`
	}
	if json.Unmarshal([]byte(body), &in) != nil {
		return nil
	}
	return DecodeToken(in.Token)
}

// CodeOf returns the code of a problem document, or the errcode of WeChat.
func CodeOf(body string) string {
	var in struct {
		Code    string `json:"code"`
		ErrCode int    `json:"errcode"`
	}
	if json.Unmarshal([]byte(body), &in) != nil {
		return ""
	}
	if in.Code == "" && in.ErrCode != 0 {
		return fmt.Sprintf("errcode %d", in.ErrCode)
	}
	return in.Code
}

// StatusLine is a response in a few words.
func StatusLine(status int, code string) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", status, http.StatusText(status), code))
}

// Listed returns headers sorted by name.
func Listed(h http.Header) []Header {
	out := []Header{}
	for name, values := range h {
		out = append(out, Header{Name: name, Value: strings.Join(values, ", ")})
	}
	slices.SortFunc(out, func(a, b Header) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return out
}

// perHop are headers between two machines, which say nothing about the gateway.
var perHop = []string{"host", "connection", "content-length", "accept-encoding", "upgrade", "sec-websocket-key"}

// Compared returns the headers that the upstream got, and those that it did not get, each
// marked by what the gateway did.
func Compared(sent, got http.Header) []Header {
	if sent == nil {
		return Listed(got)
	}
	before := map[string]Header{}
	for _, h := range Listed(sent) {
		if name := strings.ToLower(h.Name); !slices.Contains(perHop, name) {
			h.Mark = "removed"
			before[name] = h
		}
	}
	var out []Header
	for _, h := range Listed(got) {
		name := strings.ToLower(h.Name)
		was, known := before[name]
		switch {
		case slices.Contains(perHop, name):
		case !known:
			h.Mark = "added"
		case was.Value == h.Value:
			delete(before, name)
		default:
			h.Mark = "replaced"
		}
		out = append(out, h)
	}
	for _, h := range before {
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b Header) int {
		return cmp.Or(order(a)-order(b), strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(b.Mark, a.Mark))
	})
	return out
}

// order puts what the gateway changed first, and of that the identity.
func order(h Header) int {
	switch {
	case h.Mark == "":
		return 2
	case strings.HasPrefix(strings.ToLower(h.Name), "x-wx-"):
		return 0
	default:
		return 1
	}
}

// hidden are the values between the gateway and WeChat. They never leave the gateway, and a
// page that shows them would teach people to paste them.
var hidden = regexp.MustCompile(`("(?:secret|session_key|access_token|refresh_token)"\s*:\s*")[^"]*|((?:^|[?&])(?:secret|access_token|signature)=)[^&]*`)

// Masked replaces them.
func Masked(s string) string { return hidden.ReplaceAllString(s, "$1$2•••") }

// WithoutCookies returns headers with the values of cookies hidden. A cookie is all that a thief
// needs, and unlike a token it cannot be decoded, so that it shows nothing.
func WithoutCookies(h http.Header) http.Header {
	h = h.Clone()
	for i, line := range h["Set-Cookie"] {
		pair, attributes, found := strings.Cut(line, ";")
		if name, value, _ := strings.Cut(pair, "="); value != "" {
			pair = name + "=•••"
		}
		if h["Set-Cookie"][i] = pair; found {
			h["Set-Cookie"][i] += ";" + attributes
		}
	}
	for i, line := range h["Cookie"] {
		pairs := strings.Split(line, "; ")
		for j, pair := range pairs {
			name, _, _ := strings.Cut(pair, "=")
			pairs[j] = name + "=•••"
		}
		h["Cookie"][i] = strings.Join(pairs, "; ")
	}
	return h
}

// pictures are those in a JSON body.
var pictures = regexp.MustCompile(`(data:image/[a-z]+;base64,)[^"]*`)

// Readable is the beginning of a body that people can read.
func Readable(h http.Header, body []byte) string {
	if mediaType := h.Get("Content-Type"); strings.HasPrefix(mediaType, "image/") {
		return "(" + mediaType + ")"
	}
	return Shown(pictures.ReplaceAll(body, []byte("$1…")))
}

// Shown is the beginning of a body.
func Shown(body []byte) string {
	if len(body) > MaxShown {
		return string(body[:MaxShown]) + "…"
	}
	return string(body)
}

// Wrapped breaks a text at its spaces, so that no line is longer than width unless a word is.
// The lines after the first are indented by two more than the first.
func Wrapped(text string, width int) string {
	words := strings.Split(strings.TrimLeft(text, " "), " ")
	indent := strings.Repeat(" ", len(text)-len(strings.Join(words, " ")))
	line := indent + words[0]
	var b strings.Builder
	for _, word := range words[1:] {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			b.WriteString(line + "\n")
			line = indent + "  " + word
			continue
		}
		line += " " + word
	}
	return b.String() + line
}
