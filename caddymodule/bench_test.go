package caddymodule_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/caddymodule/handler"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// benchSite has two sites over one upstream: plain reverse_proxy, and the same
// behind wxgate.
var benchSite = siteWith{sites: `
http://{{.Addr}} {
	wxgate
	reverse_proxy {{.Upstream}}
}
http://{{.Plain}} {
	reverse_proxy {{.Upstream}}
}`}.String()

// BenchmarkThroughCaddy measures an authenticated request through wxgate and
// reverse_proxy against one through reverse_proxy alone, in turn in one run, and
// reports their ratio. 1.00 is free.
func BenchmarkThroughCaddy(b *testing.B) {
	f := newFixture(b, benchSite)
	bearer := "Bearer " + f.benchToken(b)
	var guarded, plain time.Duration
	for b.Loop() {
		guarded += timeRequest(b, "http://"+f.addr+"/orders", bearer)
		plain += timeRequest(b, "http://"+f.plain+"/orders", bearer)
	}
	b.ReportMetric(float64(guarded)/float64(plain), "ratio")
	b.ReportMetric(float64(guarded.Nanoseconds())/float64(b.N), "guarded-ns/op")
	b.ReportMetric(float64(plain.Nanoseconds())/float64(b.N), "plain-ns/op")
}

// BenchmarkGuard measures the handler alone: it removes headers, verifies the token from the
// cache, checks for a revocation, and writes headers. With store redis it also checks when
// Redis last responded.
func BenchmarkGuard(b *testing.B) {
	b.Run("bolt", func(b *testing.B) { benchmarkGuard(b, benchSite) })
	b.Run("redis", func(b *testing.B) {
		benchmarkGuard(b, strings.Replace(benchSite, "store bolt {{.Dir}}/wxgate.db", "store redis redis://"+startRedis(b).addr, 1))
	})
}

func benchmarkGuard(b *testing.B, config string) {
	b.Helper()
	f := newFixture(b, config)
	h := provisionHandler(b)
	bearer := []string{"Bearer " + f.benchToken(b)}
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	w := httptest.NewRecorder()
	requests := make([]*http.Request, 256)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%len(requests) == 0 {
			b.StopTimer() // in production Caddy makes the requests
			for i := range requests {
				requests[i] = benchRequest(bearer)
			}
			b.StartTimer()
		}
		if err := h.ServeHTTP(w, requests[n%len(requests)], next); err != nil {
			b.Fatal(err)
		}
	}
	if w.Code != http.StatusOK {
		b.Fatalf("status %d: %s", w.Code, w.Body)
	}
}

// benchRequest returns a request of a mini program, as Caddy passes it to handlers.
func benchRequest(bearer []string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	r.Header = miniProgramHeader(bearer)
	repl := caddy.NewReplacer()
	repl.Map(func(string) (any, bool) { return nil, false }) // Caddy maps placeholders of requests
	ctx := context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl)
	vars := map[string]any{caddyhttp.ClientIPVarKey: "127.0.0.1", caddyhttp.TrustedProxyVarKey: false}
	return r.WithContext(context.WithValue(ctx, caddyhttp.VarsCtxKey, vars))
}

// miniProgramHeader returns the header of a request of WeChat on iOS. The map has as much room
// as net/http gives it, and does not grow when the gateway adds headers.
func miniProgramHeader(bearer []string) http.Header {
	const lines = 9 // with Host
	header := make(http.Header, lines)
	maps.Copy(header, http.Header{
		"Accept":          {"*/*"},
		"Accept-Encoding": {"gzip,compress,br,deflate"},
		"Accept-Language": {"zh-CN,zh-Hans;q=0.9"},
		"Authorization":   bearer,
		"Connection":      {"keep-alive"},
		"Content-Type":    {"application/json"},
		"Referer":         {"https://servicewechat.com/wx0000000000000001/1/page-frame.html"},
		"User-Agent":      {"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50"},
	})
	return header
}

func timeRequest(b *testing.B, url, bearer string) time.Duration {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", bearer)
	start := time.Now()
	response, err := client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	took := time.Since(start)
	if response.StatusCode != http.StatusOK {
		b.Fatalf("status %d", response.StatusCode)
	}
	return took
}

// provisionHandler makes a handler over the running configuration's app.
func provisionHandler(b *testing.B) *handler.Handler {
	b.Helper()
	h := new(handler.Handler)
	if err := h.Provision(caddy.ActiveContext()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := h.Cleanup(); err != nil {
			b.Error(err)
		}
	})
	return h
}

// benchToken logs alice in.
func (f *fixture) benchToken(b *testing.B) string {
	b.Helper()
	code, err := f.sim.Sim.MintCode(wechatsim.User{Name: "alice"}, wechatsim.Login{})
	if err != nil {
		b.Fatal(err)
	}
	a, err := f.try("POST", pub+"/openId", `{"code":"`+code.Code+`"}`)
	if err != nil {
		b.Fatal(err)
	}
	return a.str(f.t, "access_token")
}
