package prefetch

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/problem"
)

// The parameters that identify the user. WeChat sends exactly one of them.
const (
	parameterToken = "token"
	parameterCode  = "code"
)

// maxQueryBytes bounds the whole query, and so each of its parameters. A page has a query of a
// few hundred bytes, and all servers accept 8 KiB.
const maxQueryBytes = 8 << 10

// parameters are the parameters that WeChat documents, with the maximum bytes of a decoded
// value. An openid, an appid or a code of WeChat is much shorter.
var parameters = map[string]int{
	"appid":                    64,
	parameterToken:             256,
	parameterCode:              512,
	"timestamp":                20,
	"path":                     2 << 10,
	"query":                    maxQueryBytes,
	"scene":                    10,
	"customMiniprogramVersion": 64,
}

// The refusals of a query.
var (
	errTooLong     = problem.BadRequest("The query is longer than 8 KiB, or one of its parameters is too long.")
	errEncoding    = problem.BadRequest("The query is not URL-encoded UTF-8 with each parameter in its plain spelling.")
	errDuplicate   = problem.BadRequest("The query has a duplicate parameter.")
	errCredentials = problem.BadRequest("Send exactly one of token and code.")
	errAppID       = problem.BadRequest("The parameter appid must be an appid.")
	errNumber      = problem.BadRequest("Send the parameter timestamp, and scene if it is known, as numbers.")
)

// IsParameter reports whether WeChat sends a parameter of this name.
func IsParameter(name string) bool {
	_, ok := parameters[name]
	return ok
}

// Query is the parsed query of a prefetch.
type Query struct {
	App   auth.AppID
	Token string // of the call prefetch-token; "" if Code is set
	Code  string // a login code; "" if Token is set
}

// isPrefetch reports whether a query belongs to a prefetch, in any spelling that a framework
// could read: a misspelled token must neither pass as an ordinary parameter nor be logged.
func isPrefetch(query string) bool {
	return edge.HasQueryParameter(query, "appid") || hasCredential(query)
}

func hasCredential(query string) bool {
	return edge.HasQueryParameter(query, parameterToken) || edge.HasQueryParameter(query, parameterCode)
}

// WithoutCredential removes token and code from a query, in any spelling that a framework could
// read.
func WithoutCredential(query string) string {
	return edge.DropQueryParameter(edge.DropQueryParameter(query, parameterToken), parameterCode)
}

// credentials returns the values of token and code, both as they were sent and decoded.
func credentials(query string) (values []string) {
	for pair := range strings.SplitSeq(query, "&") {
		if !hasCredential(pair) {
			continue
		}
		_, value, _ := strings.Cut(pair, "=")
		values = append(values, value)
		if decoded, err := url.QueryUnescape(value); err == nil {
			values = append(values, decoded)
		}
	}
	return values
}

// Parse reads the query of a prefetch. Other parameters than WeChat's are allowed: they come
// from the URL that the operator configured at WeChat. The errors are problems with status 400.
func Parse(query string) (Query, error) {
	if len(query) > maxQueryBytes {
		return Query{}, errTooLong
	}
	values, err := decode(query)
	if err != nil {
		return Query{}, err
	}
	if (values[parameterToken] == "") == (values[parameterCode] == "") {
		return Query{}, errCredentials
	}
	if !auth.ValidID(values["appid"]) {
		return Query{}, errAppID
	}
	if !isNumber(values["timestamp"]) || values["scene"] != "" && !isNumber(values["scene"]) {
		return Query{}, errNumber
	}
	return Query{App: auth.AppID(values["appid"]), Token: values[parameterToken], Code: values[parameterCode]}, nil
}

// decode returns WeChat's parameters. Each may appear once, and only in its plain spelling:
// otherwise the upstream could read another value than the gateway checked, such as another
// user's page. A semicolon separates parameters for some frameworks.
func decode(query string) (map[string]string, error) {
	if strings.Contains(query, ";") {
		return nil, errEncoding
	}
	values := make(map[string]string, len(parameters))
	for pair := range strings.SplitSeq(query, "&") {
		name, encoded, _ := strings.Cut(pair, "=")
		most, known := parameters[name]
		if !known && isMisspelled(pair) {
			return nil, errEncoding
		}
		if !known {
			continue
		}
		if _, duplicate := values[name]; duplicate {
			return nil, errDuplicate
		}
		value, err := url.QueryUnescape(encoded)
		if err != nil || !isText(value) {
			return nil, errEncoding
		}
		if len(value) > most {
			return nil, errTooLong
		}
		values[name] = value
	}
	return values, nil
}

// isMisspelled reports whether a framework could read a parameter with another name as one of
// WeChat's.
func isMisspelled(pair string) bool {
	for name := range parameters {
		if edge.HasQueryParameter(pair, name) {
			return true
		}
	}
	return false
}

// isText reports whether a value is UTF-8 without control characters.
func isText(value string) bool {
	return utf8.ValidString(value) && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func isNumber(value string) bool {
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			return false
		}
	}
	return value != ""
}
