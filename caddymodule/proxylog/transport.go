// Package proxylog has a transport for reverse_proxy, which keeps identities and tokens out
// of the log of reverse_proxy, and sends plain requests with less CPU time.
package proxylog

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/fastcgi"
	"go.uber.org/zap/zapcore"

	"github.com/wxgate/wxgate/caddymodule/request"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/transport"
)

func init() {
	caddy.RegisterModule(new(Transport))
}

// transportName is the transport's name in Caddy's JSON.
const transportName = "wxgate"

// Transport is a transport of reverse_proxy that keeps identities out of its log. After a
// request was sent, reverse_proxy logs its headers in every line: at DEBUG, and as a warning
// if a response ends early. The transport sends the whole request to the upstream, and
// leaves reverse_proxy a request without the identity.
//
// It also sends requests without a body to plain HTTP/1.1 upstreams itself, which takes
// less CPU time, with the settings of the `http` transport. Request bodies, upgrades, TLS,
// h2c, the PROXY protocol, connection limits and other transports are left to that
// transport.
//
// wxgate adds it to every reverse_proxy of a server that it guards. It needs no option in
// the Caddyfile.
type Transport struct {
	// The transport that sends the requests. Default `http`, as in reverse_proxy.
	TransportRaw json.RawMessage `json:"transport,omitempty" caddy:"namespace=http.reverse_proxy.transport inline_key=protocol"`

	// Whether the transport above sends all requests. `transport standard` in the global
	// `wxgate` block sets it. Default: this transport sends plain requests itself.
	Standard bool `json:"standard,omitempty"`

	// Whether reverse_proxy keeps all headers of a request except the identity. wxgate
	// sets it for a reverse_proxy with `lb_retry_match`, which may read them. Default: true
	// if a log has the level DEBUG; otherwise log lines have only few headers.
	AllHeaders bool `json:"all_headers,omitempty"`

	inner   http.RoundTripper
	plain   *plainTransport // nil if inner sends all requests
	logsAll bool            // AllHeaders, or by the level of the log
}

// CaddyModule returns the module's ID and constructor.
func (*Transport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.reverse_proxy.transport.wxgate", New: func() caddy.Module { return new(Transport) }}
}

// Provision loads the transport that sends the requests.
func (t *Transport) Provision(ctx caddy.Context) error {
	if t.TransportRaw == nil {
		if err := t.provisionDefault(ctx); err != nil {
			return err
		}
	} else {
		module, err := ctx.LoadModule(t, "TransportRaw")
		if err != nil {
			return fmt.Errorf("loading the transport: %w", err)
		}
		t.inner = module.(http.RoundTripper)
		warnOfFastCGI(ctx, t.inner)
	}
	// One log at DEBUG is enough: a line is written to every log that accepts its level.
	t.logsAll = t.AllHeaders || ctx.Logger(new(reverseproxy.Handler)).Core().Enabled(zapcore.DebugLevel)
	if !t.Standard {
		t.plain = newPlainTransport(t.inner)
	}
	return nil
}

// plainTransport sends plain requests, and leaves all others to Caddy's transport.
type plainTransport struct {
	caddys *reverseproxy.HTTPTransport
	own    *transport.Transport
}

// newPlainTransport returns nil for a transport that it cannot replace. With the PROXY
// protocol, every client needs separate connections.
func newPlainTransport(inner http.RoundTripper) *plainTransport {
	caddys, ok := inner.(*reverseproxy.HTTPTransport)
	if !ok || caddys.ProxyProtocol != "" {
		return nil
	}
	return &plainTransport{caddys, transport.New(caddys.Transport, caddys)}
}

// RoundTrip sends the request.
func (t *plainTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.caddys.SetScheme(r)
	return t.own.RoundTrip(r)
}

// idleConnsPerUpstream is how many idle connections are kept for each upstream. Caddy keeps
// 32: with more concurrent requests than that, many pay for a new connection. An idle
// connection takes some 20 KiB and is closed after two minutes.
const idleConnsPerUpstream = 512

// provisionDefault creates the transport as reverse_proxy does, except for the number of
// idle connections. Caddy does not clean it up: after a reload its idle connections time
// out. Closing them would break requests of the old configuration that are about to use one.
func (t *Transport) provisionDefault(ctx caddy.Context) error {
	caddys := &reverseproxy.HTTPTransport{KeepAlive: &reverseproxy.KeepAlive{MaxIdleConnsPerHost: idleConnsPerUpstream}}
	if err := caddys.Provision(ctx); err != nil {
		return fmt.Errorf("provisioning the default transport: %w", err)
	}
	t.inner = caddys
	return nil
}

// RoundTrip sends a shallow copy of the request, and removes the identity from r, which
// reverse_proxy logs. reverse_proxy made r for this one attempt.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	redactor, ok := edge.RedactorOf(r)
	if !ok {
		return t.send(r)
	}
	sent := *r
	sent.Trailer = nil // Strip removed it; reverse_proxy fills it in again while the request is sent
	if r.Body != nil && r.Body != http.NoBody {
		sent.Body = edge.NewSentBody(r.Body)
	}
	redactor.Redact(r, request.Original, t.logsAll)
	return t.send(&sent)
}

func (t *Transport) send(r *http.Request) (*http.Response, error) {
	if t.plain != nil {
		return t.plain.RoundTrip(r)
	}
	return t.inner.RoundTrip(r)
}

// warnOfFastCGI warns that a log line with PHP's standard error also has PHP's whole
// environment, which includes the identity headers.
func warnOfFastCGI(ctx caddy.Context, inner http.RoundTripper) {
	if t, ok := inner.(*fastcgi.Transport); ok && t.CaptureStderr {
		ctx.Logger().Warn("capture_stderr logs identity headers with what PHP writes to its standard error, unless a filter deletes env>HTTP_X_WX_OPENID, request>headers>X-Wx-Openid and their like: see SECURITY.md")
	}
}

// The methods below are optional interfaces of reverse_proxy. If the inner transport does not
// implement one, the method returns what reverse_proxy would use then.

// RequestHeaderOps returns what the transport does to the headers of requests.
func (t *Transport) RequestHeaderOps() *headers.HeaderOps {
	if inner, ok := t.inner.(reverseproxy.RequestHeaderOpsTransport); ok {
		return inner.RequestHeaderOps()
	}
	return nil
}

// DefaultBufferSizes returns how many bytes of requests and responses are buffered.
func (t *Transport) DefaultBufferSizes() (requestBytes, responseBytes int64) {
	if inner, ok := t.inner.(reverseproxy.BufferedTransport); ok {
		return inner.DefaultBufferSizes()
	}
	return 0, 0
}

// RequiresContentLength reports whether a body of unknown length cannot be sent.
func (t *Transport) RequiresContentLength() bool {
	inner, ok := t.inner.(reverseproxy.ContentLengthRequiredTransport)
	return ok && inner.RequiresContentLength()
}

// ProxyProtocolEnabled reports whether each connection belongs to one client.
func (t *Transport) ProxyProtocolEnabled() bool {
	inner, ok := t.inner.(reverseproxy.ProxyProtocolTransport)
	return ok && inner.ProxyProtocolEnabled()
}

// OverrideHealthCheckScheme sets the scheme of an active health check.
func (t *Transport) OverrideHealthCheckScheme(base *url.URL, port string) {
	if inner, ok := t.inner.(reverseproxy.HealthCheckSchemeOverriderTransport); ok {
		inner.OverrideHealthCheckScheme(base, port)
	}
}

// Interface guards
var (
	_ caddy.Provisioner                                = (*Transport)(nil)
	_ http.RoundTripper                                = (*Transport)(nil)
	_ reverseproxy.RequestHeaderOpsTransport           = (*Transport)(nil)
	_ reverseproxy.BufferedTransport                   = (*Transport)(nil)
	_ reverseproxy.ContentLengthRequiredTransport      = (*Transport)(nil)
	_ reverseproxy.ProxyProtocolTransport              = (*Transport)(nil)
	_ reverseproxy.HealthCheckSchemeOverriderTransport = (*Transport)(nil)
)
