package edge

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
)

// reservedPrefix is the prefix of names that only the gateway writes: those of WeChat Cloud
// Hosting, current and future.
const reservedPrefix = "x-wx-"

// SourceClient is the value of the source header: WeChat Cloud Hosting sends it for a
// call from a mini program.
const SourceClient = "wx_client"

// SourceWeb is its value for a browser session.
const SourceWeb = "web"

// SourceOf returns where a request of an identity comes from.
func SourceOf(id *auth.Identity) string {
	if id.Browser {
		return SourceWeb
	}
	return SourceClient
}

// Names are the names of the identity headers. An empty name is replaced with its default.
type Names struct {
	OpenID    string // default X-WX-OPENID
	UnionID   string // default X-WX-UNIONID
	AppID     string // default X-WX-APPID
	Source    string // default X-WX-SOURCE
	Session   string // default X-WX-SESSION
	Phone     string // default: not sent
	Risk      string // default: not sent
	Assertion string // default: not sent

	AppVersion string // default: not sent; see AppVersionOf
	AppEnv     string // default: not sent; see AppVersionOf

	AssertionAudience string // the assertion's aud; required with Assertion
}

// Headers are the identity headers: the gateway sets them and removes what a client
// sent under their names.
type Headers struct {
	names   Names    // canonical; "" for a header that is not sent
	managed []string // folded names
	outside []string // folded names without reservedPrefix
	passed  []string // canonical; see Pass
}

// NewHeaders completes and checks the names.
func NewHeaders(n Names) (*Headers, error) {
	h := &Headers{names: n}
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
		{&h.names.Risk, ""},
		{&h.names.Assertion, ""},
		{&h.names.AppVersion, ""},
		{&h.names.AppEnv, ""},
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

// Names returns the completed names, as net/http spells them.
func (h *Headers) Names() Names { return h.names }

func (h *Headers) manage(name string) error {
	if err := CheckHeaderName(name); err != nil {
		return err
	}
	folded := foldHeaderName(name)
	if slices.Contains(h.managed, folded) {
		return fmt.Errorf("header name %q is used twice", name)
	}
	h.managed = append(h.managed, folded)
	if !strings.HasPrefix(folded, reservedPrefix) {
		h.outside = append(h.outside, folded)
	}
	return nil
}

// Managed reports whether an upstream could read a name as one of the identity headers. CGI,
// PHP and WSGI ignore letter case and treat all marks alike: they read X_WX.OPENID as
// X-WX-OPENID. Some also ignore repeated marks and marks at the ends.
func (h *Headers) Managed(name string) bool {
	if begins, _ := matchFolded(name, reservedPrefix); begins {
		return true
	}
	for _, managed := range h.outside {
		if _, whole := matchFolded(name, managed); whole {
			return true
		}
	}
	return false
}

// Strip deletes every managed header and returns how many there were. It walks
// the map, because Header.Del canonicalises and would miss X_WX_OPENID.
//
// With trusted, the names of [Headers.Pass] stay, if they have one value.
//
// It also reduces the Connection header to its options: Caddy removes the headers that
// Connection names after this handler has run, so that "Connection: x-wx-openid" would send an
// authenticated request upstream without its identity. Request trailers are removed because
// some upstreams merge them into the headers.
func (h *Headers) Strip(r *http.Request, trusted bool) (stripped int) {
	for name, values := range r.Header {
		if h.Managed(name) && !(trusted && h.passes(name, values)) {
			delete(r.Header, name)
			stripped++
		}
	}
	if connection, ok := r.Header["Connection"]; ok && !(len(connection) == 1 && connection[0] == "keep-alive") {
		keepConnectionOptions(r.Header, connection)
	}
	for name := range r.Trailer {
		if h.Managed(name) {
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

// Set writes the identity: one value for each header, and no header for an unknown value.
func (h *Headers) Set(header http.Header, id *auth.Identity, assertion string) {
	fields := [...]struct{ name, value string }{
		{h.names.OpenID, string(id.OpenID)},
		{h.names.UnionID, string(id.UnionID)},
		{h.names.AppID, string(id.App)},
		{h.names.Source, SourceOf(id)},
		{h.names.Session, string(id.Session)},
		{h.names.Phone, id.Phone},
		{h.names.Risk, id.Risk.Digit()},
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
