package proxylog

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
)

func TestWrapHandlers(t *testing.T) {
	for name, tc := range map[string]struct{ config, want string }{
		"no proxy":              {`{"handler":"static_response","body":"\"handler\":\"reverse_proxy\""}`, ""},
		"the default transport": {`{"handler":"reverse_proxy"}`, `{"handler":"reverse_proxy","transport":{"protocol":"wxgate"}}`},
		"retries by the request": {
			`{"handler":"reverse_proxy","load_balancing":{"retry_match":[{"header":{"X-A":["1"]}}]}}`,
			`{"handler":"reverse_proxy","load_balancing":{"retry_match":[{"header":{"X-A":["1"]}}]},"transport":{"all_headers":true,"protocol":"wxgate"}}`,
		},
		"a transport with options": {
			`{"handler":"reverse_proxy","transport":{"protocol":"http","dial_timeout":12345678901234567890}}`,
			`{"handler":"reverse_proxy","transport":{"protocol":"wxgate","transport":{"dial_timeout":12345678901234567890,"protocol":"http"}}}`,
		},
		"in a handler in a handler": {
			`{"handler":"subroute","routes":[{"handle":[{"handler":"vars","a":1.50},{"handler":"reverse_proxy"}]}]}`,
			`{"handler":"subroute","routes":[{"handle":[{"a":1.50,"handler":"vars"},{"handler":"reverse_proxy","transport":{"protocol":"wxgate"}}]}]}`,
		},
		"in handle_response of another": {
			`{"handle_response":[{"routes":[{"handle":[{"handler":"reverse_proxy"}]}]}],"handler":"reverse_proxy"}`,
			`{"handle_response":[{"routes":[{"handle":[{"handler":"reverse_proxy","transport":{"protocol":"wxgate"}}]}]}],"handler":"reverse_proxy","transport":{"protocol":"wxgate"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			handlers := []json.RawMessage{json.RawMessage(tc.config)}
			if err := wrapHandlers(handlers, false); err != nil {
				t.Fatal(err)
			}
			want := tc.want
			if want == "" {
				want = tc.config // unchanged
			}
			if got := string(handlers[0]); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestWrapStandard: with standard, the transport of every reverse_proxy gets this option.
func TestWrapStandard(t *testing.T) {
	handlers := []json.RawMessage{json.RawMessage(`{"handler":"reverse_proxy"}`)}
	if err := wrapHandlers(handlers, true); err != nil {
		t.Fatal(err)
	}
	if got, want := string(handlers[0]), `{"handler":"reverse_proxy","transport":{"protocol":"wxgate","standard":true}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestReplacedTransports: Caddy's http transport is replaced for plain requests, unless it uses
// the PROXY protocol. Other transports are not replaced.
func TestReplacedTransports(t *testing.T) {
	for name, tc := range map[string]struct {
		config string
		want   bool
	}{
		"the default":        {`{}`, true},
		"standard":           {`{"standard":true}`, false},
		"http":               {`{"transport":{"protocol":"http","dial_timeout":1000000000}}`, true},
		"http, standard":     {`{"transport":{"protocol":"http"},"standard":true}`, false},
		"the PROXY protocol": {`{"transport":{"protocol":"http","proxy_protocol":"v2"}}`, false},
		"FastCGI":            {`{"transport":{"protocol":"fastcgi"}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			transport, _ := provision(t, tc.config)
			if got := transport.plain != nil; got != tc.want {
				t.Errorf("replaced: %t, want %t", got, tc.want)
			}
		})
	}
}

// provision returns a transport, and the function that ends its configuration.
func provision(t *testing.T, text string) (transport *Transport, end func()) {
	t.Helper()
	config, end := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(end)
	transport = new(Transport)
	if err := json.Unmarshal([]byte(text), transport); err != nil {
		t.Fatal(err)
	}
	if err := transport.Provision(config); err != nil {
		t.Fatal(err)
	}
	return transport, end
}

// get sends a GET and reads the response to its end.
func get(ctx context.Context, t *testing.T, transport *Transport, address string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithValue(ctx, caddy.ReplacerCtxKey, caddy.NewReplacer()), http.MethodGet, address, nil)
	if err != nil {
		t.Error(err)
		return
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
}

// talkative is a transport that implements all optional interfaces of reverse_proxy.
type talkative struct{ http.RoundTripper }

func (talkative) RequestHeaderOps() *headers.HeaderOps { return new(headers.HeaderOps) }
func (talkative) DefaultBufferSizes() (int64, int64)   { return 1, 2 }
func (talkative) RequiresContentLength() bool          { return true }
func (talkative) ProxyProtocolEnabled() bool           { return true }
func (talkative) OverrideHealthCheckScheme(base *url.URL, port string) {
	base.Scheme = "of port " + port
}

func TestTransportDelegates(t *testing.T) {
	for name, tc := range map[string]struct {
		inner http.RoundTripper
		has   bool
	}{"with the interfaces": {talkative{}, true}, "without them": {new(http.Transport), false}} {
		t.Run(name, func(t *testing.T) {
			transport := &Transport{inner: tc.inner}
			if got := transport.RequestHeaderOps() != nil; got != tc.has {
				t.Errorf("header operations: %t", got)
			}
			if request, response := transport.DefaultBufferSizes(); tc.has != (request == 1) || tc.has != (response == 2) {
				t.Errorf("buffers of %d and %d", request, response)
			}
			if got := transport.RequiresContentLength(); got != tc.has {
				t.Errorf("a content length is required: %t", got)
			}
			if got := transport.ProxyProtocolEnabled(); got != tc.has {
				t.Errorf("the PROXY protocol: %t", got)
			}
			base := &url.URL{Scheme: "http"}
			transport.OverrideHealthCheckScheme(base, "443")
			if got := base.Scheme == "of port 443"; got != tc.has {
				t.Errorf("the scheme %q", base.Scheme)
			}
		})
	}
}

// TestDefaultTransportOutlivesItsConfiguration: after a reload, a request of the old
// configuration may still use a connection. If cleanup closed it, the response would be 502.
func TestDefaultTransportOutlivesItsConfiguration(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer upstream.Close()
	transport, end := provision(t, "{}")
	var reused bool
	ask := func() {
		get(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }}), t, transport, upstream.URL)
	}
	ask()
	end()
	if ask(); !reused {
		t.Error("the connection was closed with the configuration")
	}
}

// TestDefaultTransportKeepsConnections: a second batch of concurrent requests opens no new
// connection.
func TestDefaultTransportKeepsConnections(t *testing.T) {
	const atOnce = 100
	var opened atomic.Int64
	all := make(chan struct{}, atOnce)
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		all <- struct{}{}
		for len(all) < atOnce { // until all requests are here
			runtime.Gosched()
		}
	}))
	upstream.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	upstream.Start()
	defer upstream.Close()
	transport, _ := provision(t, "{}")
	for range 2 {
		var group sync.WaitGroup
		for range atOnce {
			group.Go(func() { get(t.Context(), t, transport, upstream.URL) })
		}
		group.Wait()
		for len(all) > 0 {
			<-all
		}
	}
	if n := opened.Load(); n != atOnce {
		t.Errorf("%d connections for %d requests at once, twice", n, atOnce)
	}
}
