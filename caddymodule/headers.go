package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/wxgate/wxgate/internal/auth"
)

// reservedPrefix is the namespace that only the gateway writes: WeChat Cloud
// Hosting's, today's names and those to come.
const reservedPrefix = "x-wx-"

// sourceClient is what Cloud Hosting sends for a call from a mini program.
const sourceClient = "wx_client"

// identityHeaders writes who is calling, and sees to it that nobody else does.
type identityHeaders struct {
	names   HeaderNames // canonical; "" where a header is off
	managed []string    // folded
}

// newIdentityHeaders completes and checks the names.
func newIdentityHeaders(n HeaderNames) (*identityHeaders, error) {
	h := &identityHeaders{names: n}
	for _, d := range []struct {
		name     *string
		fallback string
	}{
		{&h.names.OpenID, "X-WX-OPENID"},
		{&h.names.UnionID, "X-WX-UNIONID"},
		{&h.names.AppID, "X-WX-APPID"},
		{&h.names.Source, "X-WX-SOURCE"},
		{&h.names.Session, "X-WX-SESSION"},
		{&h.names.Phone, ""},
		{&h.names.Assertion, ""},
	} {
		if *d.name == "" {
			*d.name = d.fallback
		}
		if *d.name == "" {
			continue
		}
		if err := h.manage(*d.name); err != nil {
			return nil, err
		}
		*d.name = textproto.CanonicalMIMEHeaderKey(*d.name)
	}
	if (h.names.Assertion == "") != (h.names.AssertionAudience == "") {
		return nil, errors.New("the assertion header needs a name and an audience: headers { assertion <name> <audience> }")
	}
	return h, nil
}

// unusableHeaders are names whose meaning HTTP or the proxy owns: an identity
// under one of them would be dropped, or change how the request is sent.
var unusableHeaders = map[string]struct{}{
	"authorization": {}, "proxy-authorization": {}, "cookie": {}, "host": {}, "connection": {}, "keep-alive": {},
	"proxy-connection": {}, "proxy-authenticate": {}, "te": {}, "trailer": {}, "transfer-encoding": {}, "upgrade": {},
	"content-length": {}, "content-type": {}, "expect": {}, "early-data": {}, "via": {}, "forwarded": {},
	"x-forwarded-for": {}, "x-forwarded-host": {}, "x-forwarded-proto": {},
}

func (h *identityHeaders) manage(name string) error {
	if err := checkHeaderName(name); err != nil {
		return err
	}
	folded := foldHeaderName(name)
	if slices.Contains(h.managed, folded) {
		return fmt.Errorf("header name %q stands for two things", name)
	}
	h.managed = append(h.managed, folded)
	return nil
}

func checkHeaderName(name string) error {
	if !httpguts.ValidHeaderFieldName(name) || strings.ContainsAny(name, "_.") {
		return fmt.Errorf("header name %q: use letters, digits and hyphens", name)
	}
	if _, ok := unusableHeaders[foldHeaderName(name)]; ok {
		return fmt.Errorf("header name %q cannot carry an identity: HTTP or the proxy gives it a meaning of its own", name)
	}
	return nil
}

// isManaged reports whether a name would be read as one of ours by any upstream.
// CGI, PHP and WSGI lose letter case and every mark: to them X_WX.OPENID is
// X-WX-OPENID. Some lose runs of marks and those at the ends too.
func (h *identityHeaders) isManaged(name string) bool {
	if begins, _ := matchFolded(name, reservedPrefix); begins {
		return true
	}
	for _, managed := range h.managed {
		if _, whole := matchFolded(name, managed); whole {
			return true
		}
	}
	return false
}

// matchFolded reports whether a header name, were it folded, would begin with a
// folded one, and whether that would be all of it. It does not allocate: it runs
// for every header of every request.
func matchFolded(name, folded string) (begins, whole bool) {
	at := skipMarks(name, 0)
	for i := range len(folded) {
		if at == len(name) || foldByte(name[at]) != folded[i] {
			return false, false
		}
		if at++; folded[i] == '-' {
			at = skipMarks(name, at)
		}
	}
	return true, skipMarks(name, at) == len(name)
}

func skipMarks(name string, at int) int {
	for at < len(name) && foldByte(name[at]) == '-' {
		at++
	}
	return at
}

// foldHeaderName is a name in lower case, each run of marks a hyphen, and none at
// the ends.
func foldHeaderName(name string) string {
	var b []byte
	for i := range len(name) {
		c := foldByte(name[i])
		if c != '-' || len(b) > 0 && b[len(b)-1] != '-' {
			b = append(b, c)
		}
	}
	return strings.TrimSuffix(string(b), "-")
}

func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + ('a' - 'A')
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	default:
		return '-'
	}
}

// strip deletes every managed header and returns how many there were. It walks
// the map, because Header.Del canonicalises and would miss X_WX_OPENID.
//
// It also cuts the Connection header down to its own options: Caddy removes the
// headers that Connection names after this handler has run, so that
// "Connection: x-wx-openid" would send an authenticated request upstream with no
// identity on it. Request trailers go for the same reason: some upstreams merge
// them into the headers.
func (h *identityHeaders) strip(r *http.Request) (stripped int) {
	for name := range r.Header {
		if h.isManaged(name) {
			delete(r.Header, name)
			stripped++
		}
	}
	if connection, ok := r.Header["Connection"]; ok {
		keepConnectionOptions(r.Header, connection)
	}
	for name := range r.Trailer {
		if h.isManaged(name) {
			stripped++
		}
	}
	r.Trailer = nil
	return stripped
}

// keepConnectionOptions drops every Connection token that names a header.
func keepConnectionOptions(header http.Header, values []string) {
	var kept []string
	for _, value := range values {
		for token := range strings.SplitSeq(value, ",") {
			switch token = strings.ToLower(textproto.TrimString(token)); token {
			case "close", "keep-alive", "upgrade", "te":
				kept = append(kept, token)
			}
		}
	}
	if len(kept) == 0 {
		delete(header, "Connection")
		return
	}
	header["Connection"] = []string{strings.Join(kept, ", ")}
}

// set writes the identity: one value each, and none for what is unknown.
func (h *identityHeaders) set(header http.Header, id *auth.Identity, assertion string) {
	fields := [...]struct{ name, value string }{
		{h.names.OpenID, string(id.OpenID)},
		{h.names.UnionID, string(id.UnionID)},
		{h.names.AppID, string(id.App)},
		{h.names.Source, sourceClient},
		{h.names.Session, string(id.Session)},
		{h.names.Phone, id.Phone},
		{h.names.Assertion, assertion},
	}
	values := make([]string, len(fields)) // one allocation for all
	for i, field := range fields {
		if field.name != "" && field.value != "" {
			values[i] = field.value
			header[field.name] = values[i : i+1 : i+1]
		}
	}
}
