package edge

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
)

// redacted is the text that Caddy logs instead of known credentials.
var redacted = []string{"REDACTED"}

// Redact changes a request so that it can be logged: it removes the user and the token from all
// headers, since header_up may have written {wxgate.openid} to any header. The appid stays, to
// distinguish the failures of mini programs. Redact replaces the header map and does not change
// it: another goroutine may be reading it.
//
// original returns the original request, or nil: the request to the upstream may have a
// forwarded token in another place.
//
// Without all, only the headers in [kept] and the appid stay: reverse_proxy formats all headers
// of each request, but rarely writes a log line.
func (e *Edge) Redact(r *http.Request, id *auth.Identity, original func(*http.Request) *http.Request, all bool) {
	if e.Credentials.source.Kind == SourceQuery {
		r.RequestURI, _, _ = strings.Cut(r.RequestURI, "?")
	}
	secrets := []string{string(id.OpenID), string(id.UnionID), string(id.Session), strings.TrimPrefix(id.Phone, "+"), e.forwarded(r, original)}
	leaks := func(text string) bool {
		return slices.ContainsFunc(secrets, func(secret string) bool { return secret != "" && strings.Contains(text, secret) })
	}
	shown := e.copyHeader(r.Header, all)
	for name, values := range shown {
		if e.isSecret(name) || slices.ContainsFunc(values, leaks) {
			shown[name] = redacted
		}
	}
	r.Header = shown
	if leaks(r.RequestURI) {
		r.RequestURI = redacted[0]
	}
	if urlLeaks(r.URL, leaks) {
		r.URL = &url.URL{Path: redacted[0]}
	}
}

// kept are the headers that stay if all is not set: headers that distinguish clients and kinds
// of requests, and headers that reverse_proxy reads after the response arrived, for an upgrade
// and to decide when to flush.
var kept = [...]string{"Content-Type", "User-Agent", "X-Request-Id", "Accept-Encoding", "Connection", "Incremental", "Upgrade"}

func (e *Edge) copyHeader(header http.Header, all bool) http.Header {
	if all {
		return maps.Clone(header)
	}
	few := make(http.Header)
	for _, name := range kept {
		if values, ok := header[name]; ok {
			few[name] = values
		}
	}
	if values, ok := header[e.Headers.names.AppID]; ok {
		few[e.Headers.names.AppID] = values
	}
	return few
}

// urlLeaks reports whether a URL contains a secret. The whole URL is only built for unusual
// URLs.
func urlLeaks(u *url.URL, leaks func(text string) bool) bool {
	return leaks(u.Path) || leaks(u.RawPath) || leaks(u.RawQuery) || leaks(u.Host) ||
		(u.Opaque != "" || u.User != nil || u.Fragment != "") && leaks(u.String())
}

// isSecret reports whether a header is the header of the identity or of the token.
func (e *Edge) isSecret(name string) bool {
	switch names := &e.Headers.names; name {
	case names.OpenID, names.UnionID, names.Session, names.Phone, names.Risk, names.Assertion:
		return true
	}
	source := e.Credentials.source
	return source.Kind == SourceHeader && name == source.Name
}

// forwarded returns the token of the original request, or "" if it was removed.
func (e *Edge) forwarded(r *http.Request, original func(*http.Request) *http.Request) string {
	if !e.Credentials.forward {
		return ""
	}
	came := original(r)
	if came == nil {
		return ""
	}
	token, _ := e.Credentials.Take(came) // does not remove it: the token is forwarded
	return token
}

// Redactor keeps the identity of one request out of a log.
type Redactor struct {
	edge *Edge
	id   *auth.Identity
}

type redactorKey struct{}

// Redactor returns the [Redactor] of an identity. An empty identity is for a public path, where
// only a forwarded token must not be logged.
func (e *Edge) Redactor(id *auth.Identity) Redactor { return Redactor{e, id} }

// WithRedactor adds a redactor to a request's context.
func (r *Redactor) WithRedactor(ctx context.Context) context.Context {
	return context.WithValue(ctx, redactorKey{}, r)
}

// ContextValue returns the redactor under the key of [Redactor.WithRedactor], for a
// context of another type.
func (r *Redactor) ContextValue(key any) (value any, ok bool) {
	_, ok = key.(redactorKey)
	return r, ok
}

// RedactorOf returns the redactor of a request; nil if the request did not pass through a
// gateway.
func RedactorOf(r *http.Request) (*Redactor, bool) {
	redactor, ok := r.Context().Value(redactorKey{}).(*Redactor)
	return redactor, ok
}

// Redact calls [Edge.Redact] for the identity.
func (r *Redactor) Redact(sent *http.Request, original func(*http.Request) *http.Request, all bool) {
	r.edge.Redact(sent, r.id, original, all)
}
