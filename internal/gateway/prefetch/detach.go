package prefetch

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/edge"
)

// Path is the path where WeChat fetches the data of a site; "" for none.
type Path string

// NewPath returns an error for a path that is not plain.
func NewPath(path string) (Path, error) {
	if !edge.CanonicalPath(path) || strings.ContainsAny(path, "*%") {
		return "", fmt.Errorf("prefetch: path %q must be a plain path such as /boot", path)
	}
	return Path(path), nil
}

// Detached is a prefetch whose credential was removed from the request.
type Detached struct {
	Query
	Err error // why the query is refused; Query is then empty
}

// By returns how the prefetch identifies its user: token, code, or none.
func (d *Detached) By() string {
	switch {
	case d.Token != "":
		return parameterToken
	case d.Code != "":
		return parameterCode
	}
	return "none"
}

type detachedKey struct{}

// Detach returns a prefetch to serve again from its beginning without its credential: see
// [WithoutCredential]. Its context has the original query. Detach returns nil for any other
// request, and for a prefetch that was already detached.
//
// Without this, the access log would contain the token: servers copy the URI for the log before
// any handler runs.
func (p Path) Detach(r *http.Request) *http.Request {
	if p == "" || r.URL.Path != string(p) || !isPrefetch(r.URL.RawQuery) {
		return nil
	}
	if _, done := r.Context().Value(detachedKey{}).(*Detached); done {
		return nil
	}
	d := new(Detached)
	d.Query, d.Err = Parse(r.URL.RawQuery)
	edge.DropRepeated(r.Header, credentials(r.URL.RawQuery))
	return r.WithContext(context.WithValue(r.Context(), detachedKey{}, d))
}

// Of returns the prefetch of a request, or nil. It removes a credential that a rewrite of the
// URI added again.
func (p Path) Of(r *http.Request) *Detached {
	if p == "" || r.URL.Path != string(p) {
		return nil
	}
	d, ok := r.Context().Value(detachedKey{}).(*Detached)
	if !ok {
		return nil
	}
	if hasCredential(r.URL.RawQuery) {
		r.URL.RawQuery = WithoutCredential(r.URL.RawQuery)
		r.RequestURI = r.URL.RequestURI()
	}
	return d
}
