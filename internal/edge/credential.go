package edge

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/wxgate/wxgate/internal/problem"
)

// The kinds of a [Source].
const (
	SourceHeader = "header"
	SourceQuery  = "query"
	SourceCookie = "cookie"
)

const (
	// HeaderAuthorization is the default header of a token.
	HeaderAuthorization = "Authorization"

	schemeBearer = "bearer"

	// QueryBearer is the parameter of RFC 6750 section 2.3. The gateway reads it only if
	// configured, but a request that has it in addition to a token uses two methods.
	QueryBearer = "access_token"
)

// ErrTwoTokens refuses a request that carries more than one token (RFC 6750 section 2).
// Otherwise the gateway would check one token and the upstream, or a proxy on the way, use the
// other.
var ErrTwoTokens = func() *problem.Problem {
	p := problem.BadRequest("Send one access token, in one place.")
	p.Bearer = "invalid_request"
	return p
}()

// Credentials finds the access token of a request and removes it.
type Credentials struct {
	source  Source
	folded  string // the folded name of a header: see foldHeaderName
	forward bool   // leave the token in the request

	editOriginal func(r *http.Request, edit func(query string) string)
}

// Source is the part of a request where clients send the access token.
type Source struct {
	Kind string // default SourceHeader
	Name string // of the header, query parameter or cookie; default Authorization
}

// NewCredentials checks the source. forward leaves the token in the request. If a server keeps
// the original URI of a request, editOriginal edits the query of that URI too; nil if it does
// not.
func NewCredentials(source Source, forward bool, editOriginal func(r *http.Request, edit func(query string) string)) (Credentials, error) {
	c := Credentials{source: source, forward: forward, editOriginal: editOriginal}
	switch c.source.Kind {
	case "":
		c.source = Source{Kind: SourceHeader, Name: HeaderAuthorization}
	case SourceHeader:
		if c.source.Name == "" {
			c.source.Name = HeaderAuthorization
		}
		c.source.Name = http.CanonicalHeaderKey(c.source.Name)
		if !httpguts.ValidHeaderFieldName(c.source.Name) {
			return c, fmt.Errorf("token_from header: %q is not a header name", c.source.Name)
		}
	case SourceQuery, SourceCookie:
		if !httpguts.ValidHeaderFieldName(c.source.Name) {
			return c, fmt.Errorf("token_from %s: %q is not a name", c.source.Kind, c.source.Name)
		}
	default:
		return c, fmt.Errorf("unrecognized token_from %q; expected one of: header, query, cookie", c.source.Kind)
	}
	c.folded = foldHeaderName(c.source.Name)
	return c, nil
}

// Take returns the request's token, "" if there is none, and removes it from the request, so
// that an upstream's log or error page cannot leak it.
func (c Credentials) Take(r *http.Request) (string, error) {
	if c.beside(r) {
		_, _ = c.takeSource(r)
		c.remove(func() {
			delete(r.Header, HeaderAuthorization)
			c.dropQueryBearer(r)
		})
		return "", ErrTwoTokens
	}
	return c.takeSource(r)
}

// beside reports whether a request has a token in a place of RFC 6750 (sections 2.1 and 2.3)
// other than the configured source. The upstream would mistake it for a verified token.
func (c Credentials) beside(r *http.Request) bool {
	if c.source.Kind != SourceQuery || c.source.Name != QueryBearer {
		if HasQueryParameter(r.URL.RawQuery, QueryBearer) {
			return true
		}
	}
	ours := c.source.Kind == SourceHeader && c.source.Name == HeaderAuthorization
	for _, value := range r.Header[HeaderAuthorization] {
		for credential := range strings.SplitSeq(value, ",") {
			if _, ok := cutBearer(credential); ok && !ours || !ok && bearerInside.MatchString(credential) {
				return true
			}
		}
	}
	return false
}

// bearerInside matches a token anywhere in a header, since many upstreams search for it: some
// read a token in "Basic x Bearer y" and "!Bearer y". It accepts every byte that is not visible
// ASCII as a separator, valid UTF-8 or not: WSGI and Node read a header as Latin-1, where \xa0
// and \x85 are white space.
var bearerInside = regexp.MustCompile(`(?i)bearer[^!-~]`)

// Source returns the completed source.
func (c Credentials) Source() Source { return c.source }

func (c Credentials) takeSource(r *http.Request) (string, error) {
	switch c.source.Kind {
	case SourceQuery:
		return c.takeQuery(r)
	case SourceCookie:
		return c.takeCookie(r)
	default:
		return c.takeHeader(r)
	}
}

func (c Credentials) takeHeader(r *http.Request) (string, error) {
	values := r.Header[c.source.Name]
	if c.source.Name != HeaderAuthorization {
		alike := false
		for name := range r.Header {
			_, whole := matchFolded(name, c.folded)
			alike = alike || whole && name != c.source.Name
		}
		return c.single(values, alike, func() { delete(r.Header, c.source.Name) })
	}
	var token string
	tokens, credentials := 0, 0
	for _, value := range values {
		for rest, more := value, true; more; credentials++ {
			var credential string
			credential, rest, more = strings.Cut(rest, ",")
			if bearer, ok := cutBearer(credential); ok {
				token = bearer
				tokens++
			}
		}
	}
	if tokens == 0 {
		return "", nil // other schemes are left to the upstream
	}
	c.remove(func() { delete(r.Header, HeaderAuthorization) })
	if credentials > 1 || strings.IndexByte(token, ' ') >= 0 {
		return "", ErrTwoTokens
	}
	return token, nil
}

// cutBearer returns the token of a credential whose scheme is Bearer. The separator should be a
// space. After any other separator the token is invalid, but still a token, since many
// upstreams also split at a tab: if it were ignored, it would reach the upstream unverified on
// an optional path. The same applies to a scheme after a character that tokens don't contain:
// Python strips a no-break space before the scheme.
func cutBearer(credential string) (token string, ok bool) {
	begin := strings.IndexFunc(credential, httpguts.IsTokenRune)
	if begin < 0 {
		return "", false
	}
	credential = credential[begin:]
	end := 0
	for end < len(credential) && httpguts.IsTokenRune(rune(credential[end])) {
		end++
	}
	return strings.TrimLeft(credential[end:], " "), strings.EqualFold(credential[:end], schemeBearer)
}

func (c Credentials) takeCookie(r *http.Request) (string, error) {
	var values []string
	var rest []string
	alike := false
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.TrimSpace(pair)
			if name, value, _ := strings.Cut(pair, "="); name == c.source.Name {
				values = append(values, value)
			} else if pair != "" {
				alike = alike || phpMarks.Replace(strings.TrimSpace(name)) == c.source.Name
				rest = append(rest, pair)
			}
		}
	}
	return c.single(values, alike, func() {
		if len(rest) == 0 {
			delete(r.Header, "Cookie")
			return
		}
		r.Header["Cookie"] = []string{strings.Join(rest, "; ")}
	})
}

// single removes the token and returns it, if there was exactly one. alike reports that a
// framework could read another token from a similar name.
func (c Credentials) single(values []string, alike bool, remove func()) (string, error) {
	if len(values) == 0 && !alike {
		return "", nil
	}
	c.remove(remove)
	if alike || len(values) > 1 || strings.ContainsAny(values[0], ", ") {
		return "", ErrTwoTokens
	}
	return values[0], nil
}

func (c Credentials) remove(remove func()) {
	if !c.forward {
		remove()
	}
}
