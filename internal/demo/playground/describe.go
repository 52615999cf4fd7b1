package playground

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// maxShown is how much of a body the page shows, in bytes.
const maxShown = 8 << 10

// claims is a JWT, decoded and not verified: the page shows what the gateway issued.
type claims struct {
	Header  json.RawMessage `json:"header"`
	Payload json.RawMessage `json:"payload"`
}

// decodeToken decodes a JWT; nil if it is none.
func decodeToken(token string) *claims {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	var c claims
	for i, into := range []*json.RawMessage{&c.Header, &c.Payload} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || !json.Valid(text) {
			return nil
		}
		*into = text
	}
	return &c
}

// bearer decodes the token of an Authorization header.
func bearer(h http.Header) *claims {
	token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	if !ok {
		return nil
	}
	return decodeToken(token)
}

// issued decodes the access token in a response.
func issued(body string) *claims {
	var in struct {
		Token string `json:"access_token"`
	}
	if json.Unmarshal([]byte(body), &in) != nil {
		return nil
	}
	return decodeToken(in.Token)
}

// codeOf returns the code of a problem document, or the errcode of WeChat.
func codeOf(body string) string {
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

// statusLine is a response in a few words.
func statusLine(status int, code string) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", status, http.StatusText(status), code))
}

// listed returns headers sorted by name.
func listed(h http.Header) []header {
	out := []header{}
	for name, values := range h {
		out = append(out, header{Name: name, Value: strings.Join(values, ", ")})
	}
	slices.SortFunc(out, func(a, b header) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return out
}

// perHop are headers between two machines, which say nothing about the gateway.
var perHop = []string{"host", "connection", "content-length", "accept-encoding", "upgrade", "sec-websocket-key"}

// compared returns the headers that the upstream got, and those that it did not get, each
// marked by what the gateway did.
func compared(sent, got http.Header) []header {
	if sent == nil {
		return listed(got)
	}
	before := map[string]header{}
	for _, h := range listed(sent) {
		if name := strings.ToLower(h.Name); !slices.Contains(perHop, name) {
			h.Mark = "removed"
			before[name] = h
		}
	}
	var out []header
	for _, h := range listed(got) {
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
	slices.SortFunc(out, func(a, b header) int {
		return cmp.Or(order(a)-order(b), strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(b.Mark, a.Mark))
	})
	return out
}

// order puts what the gateway changed first, and of that the identity.
func order(h header) int {
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
var hidden = regexp.MustCompile(`("(?:secret|session_key|access_token)"\s*:\s*")[^"]*|((?:^|[?&])(?:secret|access_token|signature)=)[^&]*`)

// masked replaces them.
func masked(s string) string { return hidden.ReplaceAllString(s, "$1$2•••") }

// shown is the beginning of a body.
func shown(body []byte) string {
	if len(body) > maxShown {
		return string(body[:maxShown]) + "…"
	}
	return string(body)
}
