package browser

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/problem"
)

// The parameters of the calls.
const (
	paramReturn = "return"
	paramDoor   = "door"
	paramCode   = "code"
	paramState  = "state"
	paramTicket = "ticket"
)

// credentials are the parameters that must not be logged.
var credentials = []string{paramCode, paramState, paramTicket}

type detachedKey struct{}

// Detach returns a request to serve again from its beginning without credentials: see
// [WithoutCredentials]. Its context has the code, state or ticket of the query. Detach returns
// nil for a request without them, and for one that was already detached.
//
// Without this, the access log would contain the ticket: servers copy the URI for the log
// before any handler runs.
func (s *Site) Detach(r *http.Request) *http.Request {
	if s == nil || r.URL.Path != s.calls+pathCallback && r.URL.Path != s.calls+pathEnter {
		return nil
	}
	if _, done := r.Context().Value(detachedKey{}).(url.Values); done {
		return nil
	}
	kept := url.Values{}
	var values []string
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if name, value, ok := credential(pair); ok {
			kept[name] = append(kept[name], value)
			values = append(values, value)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	edge.DropRepeated(r.Header, values)
	return r.WithContext(context.WithValue(r.Context(), detachedKey{}, kept))
}

// credential returns the name and the value of a pair of a query; false for another parameter.
// A pair that cannot be decoded has an empty value.
func credential(pair string) (name, value string, ok bool) {
	name, value, _ = strings.Cut(pair, "=")
	if decoded, err := url.QueryUnescape(name); err == nil {
		name = decoded
	}
	for _, known := range credentials {
		if strings.EqualFold(name, known) {
			value, _ = url.QueryUnescape(value)
			return known, value, true
		}
	}
	return "", "", false
}

// WithoutCredentials returns a query without the parameters that [Site.Detach] moves to the
// context.
func WithoutCredentials(query string) string {
	var rest []string
	for pair := range strings.SplitSeq(query, "&") {
		if _, _, ok := credential(pair); !ok {
			rest = append(rest, pair)
		}
	}
	return strings.Join(rest, "&")
}

// parameter returns a parameter of the query, or one that was detached; "" for none. A
// duplicate parameter is refused: another reader of the request might use the other value.
func parameter(r *http.Request, name string) (string, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", problem.BadRequest("The query cannot be read.")
	}
	found := values[name]
	if kept, ok := r.Context().Value(detachedKey{}).(url.Values); ok {
		found = append(found, kept[name]...)
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", problem.BadRequest("Send the parameter %s once.", name)
}
