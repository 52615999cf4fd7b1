package caddymodule

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"golang.org/x/net/http/httpguts"

	"github.com/wxgate/wxgate/internal/problem"
)

const (
	sourceHeader = "header"
	sourceQuery  = "query"
	sourceCookie = "cookie"

	headerAuthorization = "Authorization"
	schemeBearer        = "bearer"

	// queryBearer is the parameter of RFC 6750 section 2.3. It is no source of
	// ours unless configured, but a request that has it beside a token used two
	// methods.
	queryBearer = "access_token"
)

// errTwoTokens refuses a request that carries more than one token (RFC 6750
// section 2). Otherwise the gateway would check one and the upstream, or a proxy
// on the way, believe the other.
var errTwoTokens = func() *problem.Problem {
	p := problem.BadRequest("Send one access token, in one place.")
	p.Bearer = "invalid_request"
	return p
}()

// credentials finds the access token of a request and takes it out.
type credentials struct {
	source  TokenSource
	folded  string // the name, if it is a header's: see foldHeaderName
	forward bool   // leave the token in the request
}

func newCredentials(source TokenSource, forward bool) (credentials, error) {
	c := credentials{source: source, forward: forward}
	switch c.source.Kind {
	case "":
		c.source = TokenSource{Kind: sourceHeader, Name: headerAuthorization}
	case sourceHeader:
		if c.source.Name == "" {
			c.source.Name = headerAuthorization
		}
		c.source.Name = http.CanonicalHeaderKey(c.source.Name)
		if !httpguts.ValidHeaderFieldName(c.source.Name) {
			return c, fmt.Errorf("token_from header: %q is not a header name", c.source.Name)
		}
	case sourceQuery, sourceCookie:
		if !httpguts.ValidHeaderFieldName(c.source.Name) {
			return c, fmt.Errorf("token_from %s: %q is not a name", c.source.Kind, c.source.Name)
		}
	default:
		return c, fmt.Errorf("token_from: %q is not one of header, query, cookie", c.source.Kind)
	}
	c.folded = foldHeaderName(c.source.Name)
	return c, nil
}

// take returns the request's token, "" when there is none, and removes it from
// the request, so that an upstream's log or error page cannot leak it.
func (c credentials) take(r *http.Request) (string, error) {
	if c.beside(r) {
		_, _ = c.takeSource(r)
		c.remove(func() {
			delete(r.Header, headerAuthorization)
			dropQueryBearer(r)
		})
		return "", errTwoTokens
	}
	return c.takeSource(r)
}

// beside reports whether a request has a token where RFC 6750 has one (sections 2.1
// and 2.3) although it is expected elsewhere. The upstream would take it for one that
// was verified.
func (c credentials) beside(r *http.Request) bool {
	if c.source.Kind != sourceQuery || c.source.Name != queryBearer {
		if hasQueryParameter(r.URL.RawQuery, queryBearer) {
			return true
		}
	}
	ours := c.source.Kind == sourceHeader && c.source.Name == headerAuthorization
	for _, value := range r.Header[headerAuthorization] {
		for credential := range strings.SplitSeq(value, ",") {
			if _, ok := cutBearer(credential); ok && !ours || !ok && bearerInside.MatchString(credential) {
				return true
			}
		}
	}
	return false
}

// bearerInside matches what many upstreams look for anywhere in a header: "Basic x
// Bearer y" and "!Bearer y" are tokens to those that split there. It matches every
// byte that is not visible ASCII, valid UTF-8 or not: WSGI and Node read a header as
// Latin-1, where \xa0 and \x85 are white space.
var bearerInside = regexp.MustCompile(`(?i)bearer[^!-~]`)

func (c credentials) takeSource(r *http.Request) (string, error) {
	switch c.source.Kind {
	case sourceQuery:
		return c.takeQuery(r)
	case sourceCookie:
		return c.takeCookie(r)
	default:
		return c.takeHeader(r)
	}
}

func (c credentials) takeHeader(r *http.Request) (string, error) {
	values := r.Header[c.source.Name]
	if c.source.Name != headerAuthorization {
		alike := false
		for name := range r.Header {
			_, whole := matchFolded(name, c.folded)
			alike = alike || whole && name != c.source.Name
		}
		return c.single(values, alike, func() { delete(r.Header, c.source.Name) })
	}
	var tokens []string
	credentials := 0
	for _, value := range values {
		for rest, more := value, true; more; credentials++ {
			var credential string
			credential, rest, more = strings.Cut(rest, ",")
			if token, ok := cutBearer(credential); ok {
				tokens = append(tokens, token)
			}
		}
	}
	if len(tokens) == 0 {
		return "", nil // another scheme is the upstream's business
	}
	if credentials > 1 {
		c.remove(func() { delete(r.Header, headerAuthorization) })
		return "", errTwoTokens
	}
	return c.single(tokens, false, func() { delete(r.Header, headerAuthorization) })
}

// cutBearer is the token of a credential whose scheme is Bearer. What parts them
// should be a space. After anything else it is a bad token and still a token, since
// many an upstream splits at a tab too: one that is taken for none would reach it
// from an optional path, unverified. So would one behind what is no token character:
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

func (c credentials) takeQuery(r *http.Request) (string, error) {
	rest, values := cutParameter(r.URL.RawQuery, c.source.Name)
	return c.single(values, hasQueryParameter(rest, c.source.Name), func() {
		editQuery(r, func(query string) string {
			rest, _ := cutParameter(query, c.source.Name)
			return dropParameter(rest, c.source.Name)
		})
	})
}

// dropQueryBearer removes what some framework would read as the parameter of RFC 6750.
// A request to a public path goes on without it.
func dropQueryBearer(r *http.Request) {
	if !hasQueryParameter(r.URL.RawQuery, queryBearer) {
		return
	}
	editQuery(r, func(query string) string { return dropParameter(query, queryBearer) })
}

// dropParameter removes what some framework would read as the parameter: see
// [hasQueryParameter].
func dropParameter(query, name string) string {
	pairs := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool { return hasQueryParameter(pair, name) })
	return strings.Join(pairs, "&")
}

// editQuery changes the query of a request wherever the request has it.
func editQuery(r *http.Request, edit func(string) string) {
	r.URL.RawQuery = edit(r.URL.RawQuery)
	r.RequestURI = r.URL.RequestURI()
	// Caddy makes PHP's REQUEST_URI of the request that came in.
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		original.URL.RawQuery = edit(original.URL.RawQuery)
		hideOriginalURI(r, original.URL)
	}
}

// hideOriginalURI has {http.request.orig_uri} stand for a URI without the token:
// Caddy keeps that text apart from the URL, and header_up would send it upstream.
func hideOriginalURI(r *http.Request, without *url.URL) {
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Set("http.request.orig_uri", without.RequestURI())
	}
}

// cutParameter is a query without the parameter, and the parameter's values, still
// encoded.
func cutParameter(query, parameter string) (rest string, values []string) {
	if query == "" {
		return "", nil
	}
	var others []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err != nil || decoded != parameter {
			others = append(others, pair)
			continue
		}
		values = append(values, value)
	}
	return strings.Join(others, "&"), values
}

func (c credentials) takeCookie(r *http.Request) (string, error) {
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

// single removes the token and returns it, when there was exactly one. alike says
// that some framework would read another under a name that is like the token's.
func (c credentials) single(values []string, alike bool, remove func()) (string, error) {
	if len(values) == 0 && !alike {
		return "", nil
	}
	c.remove(remove)
	if alike || len(values) > 1 || strings.ContainsAny(values[0], ", ") {
		return "", errTwoTokens
	}
	return values[0], nil
}

func (c credentials) remove(remove func()) {
	if !c.forward {
		remove()
	}
}

// hasQueryParameter reports whether some framework would find the parameter in
// a query: many part it at semicolons too, some ignore case, and PHP reads
// access.token, access_token[] and access[token as access_token, up to a NUL.
func hasQueryParameter(query, name string) bool {
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		key, _, _ := strings.Cut(pair, "=")
		if strings.ContainsAny(key, "%+") {
			if decoded, err := url.QueryUnescape(key); err == nil {
				key = decoded
			}
		}
		if len(key) < len(name) {
			continue
		}
		key, _, _ = strings.Cut(key, "\x00")
		array, _, _ := strings.Cut(key, "[")
		if isPHPName(key, name) || isPHPName(array, name) {
			return true
		}
	}
	return false
}

func isPHPName(key, name string) bool {
	return strings.EqualFold(phpMarks.Replace(strings.TrimSpace(key)), name)
}

// phpMarks are what PHP turns into underscores in the names of parameters.
var phpMarks = strings.NewReplacer(".", "_", " ", "_", "[", "_")
