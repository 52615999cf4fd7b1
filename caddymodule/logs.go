package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/fastcgi"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wxgate/wxgate/internal/edge"
)

// What other modules write into Caddy's logs is theirs, and a filter for it the
// operator's to add. Whoever needs one is told at load.

// warnOfDebug says that at DEBUG handlers write into the log what they get and
// send. Whether a filter takes the identity out is not to be seen from here.
func warnOfDebug(ctx caddy.Context, logger *zap.Logger) {
	if ctx.Logger(new(rewrite.Rewrite)).Core().Enabled(zapcore.DebugLevel) {
		logger.Warn("at level DEBUG handlers behind wxgate, rewrite and php_fastcgi among them, log identity headers, unless a filter deletes request>headers>X-Wx-Openid and its like: see SECURITY.md")
	}
}

// warnOfFastCGI says that a line for what PHP writes to its standard error holds
// the whole environment that PHP was given.
func warnOfFastCGI(ctx caddy.Context, transport http.RoundTripper) {
	if t, ok := transport.(*fastcgi.Transport); ok && t.CaptureStderr {
		ctx.Logger().Warn("capture_stderr logs identity headers with what PHP writes to its standard error, unless a filter deletes env>HTTP_X_WX_OPENID, request>headers>X-Wx-Openid and their like: see SECURITY.md")
	}
}

// warnOfAccessLogs says which tokens this site's access logs show: Caddy hides
// Authorization and Cookie there, and knows no other place of a token.
func (g *guard) warnOfAccessLogs(ctx caddy.Context) {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server.Logs == nil {
		return
	}
	if g.wafer != nil {
		g.logger.Warn("access logs show the tokens of Wafer clients unless a filter deletes request>headers>X-Wx-Skey and X-Wx-Code: see docs/migration.md")
	}
	switch source := g.edge.Credentials.Source(); {
	case source.Kind == edge.SourceQuery:
		g.logger.Warn("access logs show tokens, which token_from query takes from the URI, unless a filter replaces them: see SECURITY.md",
			zap.String("filter", "request>uri query { replace "+source.Name+" REDACTED }"))
	case source.Kind == edge.SourceHeader && http.CanonicalHeaderKey(source.Name) != edge.HeaderAuthorization:
		g.logger.Warn("access logs show tokens, which token_from header takes from a header that Caddy does not hide, unless a filter deletes it: see SECURITY.md",
			zap.String("filter", "request>headers>"+source.Name+" delete"))
	}
}
