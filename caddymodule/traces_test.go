package caddymodule_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// otlpReceiver records the spans that Caddy exports.
type otlpReceiver struct {
	mu    sync.Mutex
	raw   []string
	spans []*trace.Span
}

// startOTLP starts a receiver of traces over HTTP and makes Caddy export to it.
func startOTLP(t *testing.T) *otlpReceiver {
	t.Helper()
	o := new(otlpReceiver)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		err := proto.Unmarshal(body, &request)
		o.mu.Lock()
		defer o.mu.Unlock()
		if err != nil {
			t.Error(err)
		}
		o.raw = append(o.raw, string(body))
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				o.spans = append(o.spans, scope.Spans...)
			}
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	return o
}

const (
	clientTrace = "0af7651916cd43dd8448eb211c80319c"
	clientSpan  = "b7ad6b7169203331"
	traceparent = "00-" + clientTrace + "-" + clientSpan + "-01"
)

// watchedAPI starts a proxy to the simulator that fails the test if a request has headers of
// traces, and returns its URL.
func (f *fixture) watchedAPI() string {
	f.t.Helper()
	target, err := url.Parse(f.sim.URL)
	if err != nil {
		f.t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Traceparent", "Tracestate", "Baggage"} {
			if r.Header.Get(name) != "" {
				f.t.Errorf("WeChat received the header %s", name)
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	f.t.Cleanup(server.Close)
	return server.URL
}

// lifeOfASession logs in, calls the upstream, decodes a phone number, refreshes and logs out. It
// returns the secrets that no span may contain.
func (f *fixture) lifeOfASession(t *testing.T) (secrets []string) {
	t.Helper()
	code, traced := f.code("alice"), []string{"Traceparent", traceparent, "Tracestate", "vendor=1"}
	login := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, code), traced...)
	login.want(t, http.StatusOK, "")
	bearer := append([]string{"Authorization", "Bearer " + login.str(t, "access_token")}, traced...)
	f.do("GET", "/orders?private=query-of-alice", "", bearer...).want(t, http.StatusOK, "")
	sent := f.upstream.last(t).Header
	if got := sent.Get("Traceparent"); !strings.HasPrefix(got, "00-"+clientTrace+"-") || strings.Contains(got, clientSpan) || len(sent.Values("Traceparent")) != 1 {
		t.Errorf("the upstream received the traceparent %q", sent.Values("Traceparent"))
	}
	if got := sent.Get("Tracestate"); got != "vendor=1" {
		t.Errorf("the upstream received the tracestate %q", got)
	}
	phone, err := f.sim.Sim.MintPhoneCode(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{Number: "10012345678"})
	if err != nil {
		t.Fatal(err)
	}
	f.do("POST", pub+"/decode", fmt.Sprintf(`{"code":%q}`, phone.Code), bearer...).want(t, http.StatusOK, "")
	fresh := f.do("POST", pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, login.str(t, "refresh_token")), traced...)
	fresh.want(t, http.StatusOK, "")
	f.do("POST", pub+"/openId", `{"code":"made-up-code"}`, traced...).want(t, http.StatusUnauthorized, "invalid_code")
	f.do("POST", pub+"/logout", "", "Authorization", "Bearer "+fresh.str(t, "access_token"), "Traceparent", traceparent).want(t, http.StatusNoContent, "")
	return []string{
		wechatsim.DefaultApp.Secret, code, "made-up-code", phone.Code, "10012345678", "query-of-alice", login.str(t, "openId"), login.str(t, "session_key"),
		login.str(t, "access_token"), login.str(t, "refresh_token"), fresh.str(t, "access_token"), fresh.str(t, "refresh_token"),
	}
}

// check reads the exported spans: all belong to the client's trace, none has a secret, and
// every call of WeChat and of the store is a child of a request.
func (o *otlpReceiver) check(t *testing.T, secrets []string, want ...string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, secret := range secrets {
		if strings.Contains(strings.Join(o.raw, ""), secret) {
			t.Errorf("%q was exported", secret)
		}
	}
	requests, names := map[string]bool{}, map[string]bool{}
	for _, s := range o.spans {
		if s.Kind == trace.Span_SPAN_KIND_SERVER {
			requests[string(s.SpanId)] = true
		}
	}
	if len(requests) != 6 {
		t.Errorf("%d requests were exported, want 6", len(requests))
	}
	for _, s := range o.spans {
		if fmt.Sprintf("%x", s.TraceId) != clientTrace {
			t.Errorf("%s is in another trace", s.Name)
		}
		if s.Kind == trace.Span_SPAN_KIND_SERVER {
			continue
		}
		name := s.Name
		if s.Status.GetCode() == trace.Status_STATUS_CODE_ERROR {
			name += " " + s.Status.Message
		}
		names[name] = true
		if !requests[string(s.ParentSpanId)] {
			t.Errorf("%s is no child of a request", name)
		}
	}
	for _, name := range want {
		if !names[name] {
			t.Errorf("no span %q among %v", name, names)
		}
	}
}

// TestTraces follows requests from the client to the upstream, WeChat and the store, with
// the site of docs/observability.md and with each transport.
func TestTraces(t *testing.T) {
	documented := guideCaddyfile(t, "observability.md", "## Traces")
	calls := []string{"wechat jscode2session", "wechat jscode2session invalid_code", "wechat stable_token", "wechat getuserphonenumber"}
	bolt := append([]string{"store write"}, calls...)
	tracing := "tracing {\n\t\tspan wxgate\n\t}"
	for name, config := range map[string]string{
		"documented":         documented,
		"transport standard": siteWith{wxgate: "transport standard", routes: tracing}.String(),
	} {
		t.Run(name, func(t *testing.T) {
			received := startOTLP(t)
			f := newStoppedFixture(t, simConfig(), config)
			f.config = strings.ReplaceAll(f.config, "{{.API}}", f.watchedAPI())
			f.load()
			secrets := f.lifeOfASession(t)
			f.stop() // exports the waiting spans
			received.check(t, secrets, bolt...)
		})
	}
	t.Run("redis", func(t *testing.T) {
		received, redis := startOTLP(t), startRedis(t)
		f := newSharedFixture(t, redis, "")
		f.config = strings.ReplaceAll(f.config, "{{.API}}", f.watchedAPI())
		f.config = strings.Replace(f.config, "reverse_proxy", tracing+"\n\treverse_proxy", 1)
		f.load()
		secrets := f.lifeOfASession(t)
		f.stop()
		received.check(t, secrets, append([]string{"store create", "store update"}, calls...)...)
	})
}
