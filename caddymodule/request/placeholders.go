package request

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
)

const (
	// userIDPlaceholder is what Caddy writes to access logs as user_id.
	userIDPlaceholder = "http.auth.user.id"

	// identityVar is a variable of requests whose placeholders were set.
	identityVar = "wxgate.identity"
)

// placeholders are the documented placeholders.
var placeholders = []string{"wxgate.openid", "wxgate.unionid", "wxgate.appid", "wxgate.source", "wxgate.session", "wxgate.phone", "wxgate.risk",
	"wxgate.app_version", "wxgate.app_env", userIDPlaceholder}

// placeholder returns the value of one of the placeholders of a request with these headers.
func placeholder(name string, header http.Header, id *auth.Identity) (string, bool) {
	switch name {
	case "wxgate.openid":
		return string(id.OpenID), true
	case "wxgate.unionid":
		return string(id.UnionID), true
	case "wxgate.appid":
		return string(id.App), true
	case "wxgate.source":
		return edge.SourceOf(id), true
	case "wxgate.session":
		return string(id.Session), true
	case "wxgate.phone":
		return id.Phone, true
	case "wxgate.risk":
		return id.Risk.Digit(), true
	case "wxgate.app_version":
		return edge.AppVersionOf(header, id.App).Version, true
	case "wxgate.app_env":
		return edge.AppVersionOf(header, id.App).Env, true
	case userIDPlaceholder:
		return id.Pseudonym, true
	}
	return "", false
}

// setIdentity sets every placeholder. Without an identity they are empty, because an unset
// placeholder would reach the upstream as the literal text {wxgate.openid}. Caddy does not
// expand the values, so a value that looks like a placeholder, such as {env.X}, is sent
// unchanged.
//
// The values of the first identity of a request, usually the only one, are computed when a
// placeholder is read, because most requests read none.
func setIdentity(r *http.Request, id *auth.Identity) {
	repl, ok := replacer(r)
	if !ok {
		return
	}
	vars, ok := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	_, known := vars[identityVar]
	if ok {
		vars[identityVar] = struct{}{}
	}
	if id != nil && ok && !known {
		header := r.Header
		repl.Map(func(name string) (any, bool) { return placeholder(name, header, id) })
		return
	}
	// Values that are set take precedence over the mapped ones above.
	for _, name := range placeholders {
		value := ""
		if id != nil {
			value, _ = placeholder(name, r.Header, id)
		}
		repl.Set(name, value)
	}
}

// nameUser names the user of a request in the access log and sets no other
// placeholder: a refused request has a valid token, but no identity to pass on.
func nameUser(r *http.Request, id *auth.Identity) {
	if repl, ok := replacer(r); ok {
		repl.Set(userIDPlaceholder, id.Pseudonym)
	}
}
