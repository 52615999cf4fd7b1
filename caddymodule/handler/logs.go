package handler

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/gateway"
)

// warnOfAccessLogs warns which tokens this site's access logs show: Caddy hides
// Authorization and Cookie there, and does not know other places of a token.
func warnOfAccessLogs(ctx caddy.Context, g *gateway.Guard) {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server.Logs == nil {
		return
	}
	if g.Wafer {
		g.Logger.Warn("access logs show the tokens of Wafer clients unless a filter deletes request>headers>X-Wx-Skey and X-Wx-Code: see docs/migration.md")
	}
	switch source := g.Edge.Credentials.Source(); {
	case source.Kind == edge.SourceQuery:
		g.Logger.Warn("access logs show tokens, which token_from query takes from the URI, unless a filter replaces them: see SECURITY.md",
			zap.String("filter", "request>uri query { replace "+source.Name+" REDACTED }"))
	case source.Kind == edge.SourceHeader && http.CanonicalHeaderKey(source.Name) != edge.HeaderAuthorization:
		g.Logger.Warn("access logs show tokens, which token_from header takes from a header that Caddy does not hide, unless a filter deletes it: see SECURITY.md",
			zap.String("filter", "request>headers>"+source.Name+" delete"))
	}
}
