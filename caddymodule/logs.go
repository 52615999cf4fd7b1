package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// What other modules write into Caddy's logs is theirs, and a filter for it the
// operator's to add. Whoever needs one is told at load.

// warnOfDebug says that reverse_proxy's DEBUG lines hold the requests that it
// sends, identity headers included. Whether a filter takes them out is not to be
// seen from here.
func warnOfDebug(ctx caddy.Context, logger *zap.Logger) {
	if ctx.Logger(new(reverseproxy.Handler)).Core().Enabled(zapcore.DebugLevel) {
		logger.Warn("at level DEBUG reverse_proxy logs the identity headers of every request, unless a filter deletes request>headers>X-Wx-Openid and its like: see SECURITY.md")
	}
}

// warnOfAccessLogs says which tokens this site's access logs show: Caddy hides
// Authorization and Cookie there, and knows no other place of a token.
func (h *Handler) warnOfAccessLogs(ctx caddy.Context) {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server.Logs == nil {
		return
	}
	if h.Wafer != nil {
		h.logger.Warn("access logs show the tokens of Wafer clients unless a filter deletes request>headers>X-Wx-Skey and X-Wx-Code: see docs/migration.md")
	}
	switch source := h.credentials.source; {
	case source.Kind == sourceQuery:
		h.logger.Warn("access logs show tokens, which token_from query takes from the URI, unless a filter replaces them: see SECURITY.md",
			zap.String("filter", "request>uri query { replace "+source.Name+" REDACTED }"))
	case source.Kind == sourceHeader && http.CanonicalHeaderKey(source.Name) != headerAuthorization:
		h.logger.Warn("access logs show tokens, which token_from header takes from a header that Caddy does not hide, unless a filter deletes it: see SECURITY.md",
			zap.String("filter", "request>headers>"+source.Name+" delete"))
	}
}
