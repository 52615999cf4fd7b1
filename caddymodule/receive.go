package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wxgate/wxgate/internal/edge"
)

// received is what a client sent.
type received struct {
	edge.Received

	bearer bearer
}

// receive cleans a request and reads it. The headers of the Wafer SDKs come first: their
// names are among those that are removed.
func (g *guard) receive(r *http.Request) (received, error) {
	wafer := g.wafer.take(r.Header)
	query := r.URL.RawQuery // the token may be taken out of it
	in, err := g.edge.Receive(r)
	if in.Spoofed > 0 {
		g.spoofed(r, in.Spoofed)
	}
	return received{in, wafer.join(bearer{raw: in.Token, err: in.TokenErr}, query)}, err
}

// spoofed counts what no honest client sends: a free sign of an intrusion.
func (g *guard) spoofed(r *http.Request, n int) {
	metrics.stripped.Add(float64(n))
	if entry := g.logger.Check(zapcore.DebugLevel, "removed identity headers sent by a client"); entry != nil {
		entry.Write(zap.Int("headers", n), zap.String("path", r.URL.Path))
	}
}

// isTrusted reports whether a request comes from one of Caddy's trusted_proxies.
func isTrusted(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// original returns the request as it came in, which Caddy keeps; nil if no Caddy server
// runs the request.
func original(r *http.Request) *http.Request {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return &original
	}
	return nil
}

// editOriginal edits the query that a request came with: Caddy makes PHP's REQUEST_URI of
// it, and {http.request.orig_uri}, which header_up would send upstream. Caddy keeps that
// text apart from the URL.
func editOriginal(r *http.Request, edit func(query string) string) {
	original := original(r)
	if original == nil {
		return
	}
	original.URL.RawQuery = edit(original.URL.RawQuery)
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Set("http.request.orig_uri", original.URL.RequestURI())
	}
}
