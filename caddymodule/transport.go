package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
)

func init() {
	caddy.RegisterModule(new(Transport))
}

// transportName is the transport's name in Caddy's JSON.
const transportName = "wxgate"

// Transport is a transport of reverse_proxy that keeps identities out of its log:
// every line that reverse_proxy writes of a request once it was sent holds the
// request's headers, at DEBUG and, when an answer breaks off, as a warning. The
// upstream gets the request as it is; what reverse_proxy has left to log is a copy
// without the identity.
//
// wxgate puts it into every reverse_proxy of a server that it guards. There is
// nothing to write into a Caddyfile.
type Transport struct {
	// The transport that sends the requests. Default `http`, as in reverse_proxy.
	TransportRaw json.RawMessage `json:"transport,omitempty" caddy:"namespace=http.reverse_proxy.transport inline_key=protocol"`

	inner http.RoundTripper
}

// CaddyModule returns the module's ID and constructor.
func (*Transport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.reverse_proxy.transport.wxgate", New: func() caddy.Module { return new(Transport) }}
}

// Provision loads the transport that sends the requests.
func (t *Transport) Provision(ctx caddy.Context) error {
	if t.TransportRaw == nil {
		return t.provisionDefault(ctx)
	}
	module, err := ctx.LoadModule(t, "TransportRaw")
	if err != nil {
		return fmt.Errorf("loading the transport: %w", err)
	}
	t.inner = module.(http.RoundTripper)
	warnOfFastCGI(ctx, t.inner)
	return nil
}

// provisionDefault makes the transport as reverse_proxy makes it. Caddy knows of
// none that could be cleaned up: on a reload its idle connections time out. To close
// them would break requests of the old configuration that have just taken one.
func (t *Transport) provisionDefault(ctx caddy.Context) error {
	transport := new(reverseproxy.HTTPTransport)
	if err := transport.Provision(ctx); err != nil {
		return fmt.Errorf("provisioning the default transport: %w", err)
	}
	t.inner = transport
	return nil
}

// admitted is the identity that a request is sent for, empty on a public path, where
// only a forwarded token is kept out of the log.
type admitted struct {
	edge *edge.Edge
	id   *auth.Identity
}

type admittedKey struct{}

func (g *guard) withIdentity(ctx context.Context, id *auth.Identity) context.Context {
	return context.WithValue(ctx, admittedKey{}, admitted{&g.edge, id})
}

// RoundTrip sends the request, and leaves one to reverse_proxy that may be logged.
// That is a copy which reverse_proxy made for this one attempt.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	admitted, ok := r.Context().Value(admittedKey{}).(admitted)
	if !ok {
		return t.inner.RoundTrip(r)
	}
	sent := *r
	sent.Trailer = nil // as Strip has it; reverse_proxy fills it in while the request is sent
	if r.Body != nil && r.Body != http.NoBody {
		sent.Body = &sentBody{inner: r.Body}
	}
	admitted.edge.Redact(r, admitted.id, original(r))
	return t.inner.RoundTrip(&sent)
}

// What reverse_proxy asks its transport for, besides the round trip. A transport
// that lacks a method has no say, and what is answered here means the same.

// RequestHeaderOps are what the transport does to the headers of requests.
func (t *Transport) RequestHeaderOps() *headers.HeaderOps {
	if inner, ok := t.inner.(reverseproxy.RequestHeaderOpsTransport); ok {
		return inner.RequestHeaderOps()
	}
	return nil
}

// DefaultBufferSizes are how many bytes of requests and answers are buffered.
func (t *Transport) DefaultBufferSizes() (request, response int64) {
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

// ProxyProtocolEnabled reports whether connections are of one client each.
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
