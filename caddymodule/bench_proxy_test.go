package caddymodule_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(instantTransport{})
}

// instantTransport is a transport of reverse_proxy without a network: it waits for the
// request's context and writes its headers, as any transport does, and responds at once.
type instantTransport struct{}

func (instantTransport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.reverse_proxy.transport.instant", New: func() caddy.Module { return new(instantTransport) }}
}

func (*instantTransport) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return nil
}

func (*instantTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := r.Header.Write(io.Discard); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader("{}")), ContentLength: 2,
	}, nil
}

// proxySite has two sites with an instant upstream: one behind wxgate, one without it.
var proxySite = siteWith{sites: `
http://{{.Addr}} {
	wxgate
	reverse_proxy {{.Upstream}} {
		transport instant
	}
}
http://{{.Plain}} {
	reverse_proxy {{.Upstream}} {
		transport instant
	}
}`}.String()

// BenchmarkProxied measures a request from Caddy's server to the transport of
// reverse_proxy, without a network: what wxgate adds to a request is the difference.
func BenchmarkProxied(b *testing.B) {
	f := newFixture(b, proxySite)
	bearer := []string{"Bearer " + f.benchToken(b)}
	for name, addr := range map[string]string{"guarded": f.addr, "plain": f.plain} {
		b.Run(name, func(b *testing.B) {
			serve := f.server(b, addr)
			b.ReportAllocs()
			for b.Loop() {
				if w := serve(bearer); w.Code != http.StatusOK {
					b.Fatalf("status %d: %s", w.Code, w.Body)
				}
			}
		})
	}
}

// server returns a function in which Caddy's server at an address serves a request of a mini
// program.
func (f *fixture) server(tb testing.TB, addr string) func(bearer []string) *httptest.ResponseRecorder {
	tb.Helper()
	loaded, err := caddy.ActiveContext().App("http")
	if err != nil {
		tb.Fatal(err)
	}
	for _, server := range loaded.(*caddyhttp.App).Servers {
		if strings.HasSuffix(server.Listen[0], addr[strings.LastIndexByte(addr, ':'):]) {
			return func(bearer []string) *httptest.ResponseRecorder {
				ctx, cancel := context.WithCancel(f.t.Context())
				defer cancel()
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/orders", nil)
				r.Host = addr
				r.Header = miniProgramHeader(bearer)
				w := httptest.NewRecorder()
				server.ServeHTTP(w, r)
				return w
			}
		}
	}
	tb.Fatalf("no server listens on %s", addr)
	return nil
}
