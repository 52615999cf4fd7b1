package edge

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func (c Credentials) takeQuery(r *http.Request) (string, error) {
	rest, values := cutParameter(r.URL.RawQuery, c.source.Name)
	return c.single(values, HasQueryParameter(rest, c.source.Name), func() {
		c.editQuery(r, func(query string) string {
			rest, _ := cutParameter(query, c.source.Name)
			return DropQueryParameter(rest, c.source.Name)
		})
	})
}

// dropQueryBearer removes all parameters that a framework could read as the parameter of RFC
// 6750. A request to a public path continues without it.
func (c Credentials) dropQueryBearer(r *http.Request) {
	if !HasQueryParameter(r.URL.RawQuery, QueryBearer) {
		return
	}
	c.editQuery(r, func(query string) string { return DropQueryParameter(query, QueryBearer) })
}

// DropQueryParameter removes all parameters from a query that a framework could read as the
// parameter: see [HasQueryParameter].
func DropQueryParameter(query, name string) string {
	pairs := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool { return HasQueryParameter(pair, name) })
	return strings.Join(pairs, "&")
}

// editQuery changes the query of a request in every field that contains it.
func (c Credentials) editQuery(r *http.Request, edit func(string) string) {
	r.URL.RawQuery = edit(r.URL.RawQuery)
	r.RequestURI = r.URL.RequestURI()
	if c.editOriginal != nil {
		c.editOriginal(r, edit)
	}
}

// cutParameter returns a query without the parameter, and the parameter's values, still
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

// HasQueryParameter reports whether a framework could find the parameter in a query: many also
// split at semicolons, some ignore case, and PHP reads access.token, access_token[] and
// access[token as access_token, up to a NUL.
func HasQueryParameter(query, name string) bool {
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

// phpMarks are the characters that PHP replaces with underscores in the names of parameters.
var phpMarks = strings.NewReplacer(".", "_", " ", "_", "[", "_")
