package caddymodule

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/internal/auth"
)

// redacted is what Caddy writes in place of the credentials that it knows.
var redacted = []string{"REDACTED"}

// admitted is whose request it is that a transport sends: nobody's, where the path
// is public and only a token is to be kept out of the log.
type admitted struct {
	*guard

	id *auth.Identity
}

type admittedKey struct{}

func (g *guard) withIdentity(ctx context.Context, id *auth.Identity) context.Context {
	return context.WithValue(ctx, admittedKey{}, admitted{g, id})
}

// redact makes a request one that may be logged: it tells neither who is calling
// nor the token, under whatever name, for header_up may have written
// {wxgate.openid} anywhere. The appid stays, to tell one mini program's failures
// from another's. Headers that somebody else may be reading are left as they are.
func (a admitted) redact(r *http.Request) {
	if a.credentials.source.Kind == sourceQuery {
		r.RequestURI, _, _ = strings.Cut(r.RequestURI, "?")
	}
	tells := a.teller(r)
	shown := maps.Clone(r.Header)
	for name, values := range shown {
		if a.isSecret(name) || slices.ContainsFunc(values, tells) {
			shown[name] = redacted
		}
	}
	r.Header = shown
	if tells(r.RequestURI) {
		r.RequestURI = redacted[0]
	}
	if tells(r.URL.String()) {
		r.URL = &url.URL{Path: redacted[0]}
	}
}

// isSecret reports whether a header has the identity or the token as its meaning.
func (a admitted) isSecret(name string) bool {
	switch names := &a.headers.names; name {
	case names.OpenID, names.UnionID, names.Session, names.Phone, names.Assertion:
		return true
	}
	source := a.credentials.source
	return source.Kind == sourceHeader && name == source.Name
}

// teller reports of a text whether it tells who is calling, alone or among other
// text, as "{wxgate.appid}/{wxgate.openid}" does, or the token that the upstream may
// have. A + before a phone number may be escaped.
func (a admitted) teller(r *http.Request) func(text string) bool {
	secrets := []string{string(a.id.OpenID), string(a.id.UnionID), string(a.id.Session), strings.TrimPrefix(a.id.Phone, "+"), a.forwarded(r)}
	return func(text string) bool {
		return slices.ContainsFunc(secrets, func(secret string) bool { return secret != "" && strings.Contains(text, secret) })
	}
}

// forwarded is the token of the request that came in; "" where it was removed. What
// reverse_proxy sends may have it elsewhere.
func (a admitted) forwarded(r *http.Request) string {
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || !a.credentials.forward {
		return ""
	}
	token, _ := a.credentials.take(&original) // removes nothing: it is forwarded
	return token
}
