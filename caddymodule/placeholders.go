package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
)

// userIDPlaceholder is what Caddy writes to access logs as user_id.
const userIDPlaceholder = "http.auth.user.id"

// setPlaceholders sets every documented placeholder, empty without an identity:
// an unset one would reach the upstream as the literal text {wxgate.openid}.
// The values go in as values, so that one which looks like a placeholder, say
// {env.X}, is never expanded.
func setPlaceholders(r *http.Request, id *auth.Identity) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	var none auth.Identity
	source := edge.SourceClient
	if id == nil {
		id, source = &none, ""
	}
	repl.Set("wxgate.openid", string(id.OpenID))
	repl.Set("wxgate.unionid", string(id.UnionID))
	repl.Set("wxgate.appid", string(id.App))
	repl.Set("wxgate.source", source)
	repl.Set("wxgate.session", string(id.Session))
	repl.Set("wxgate.phone", id.Phone)
	repl.Set(userIDPlaceholder, id.Pseudonym)
}

// nameUser names the user of a request in the access log and sets no other
// placeholder: a refused request has a valid token, but no identity to pass on.
func nameUser(r *http.Request, id *auth.Identity) {
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Set(userIDPlaceholder, id.Pseudonym)
	}
}
