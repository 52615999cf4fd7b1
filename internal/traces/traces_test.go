package traces_test

import (
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/traces"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

// within returns the spans that do adds to the trace of a request.
func within(t *testing.T, sampler trace.Sampler, do func(context.Context)) tracetest.SpanStubs {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(exporter), trace.WithSampler(sampler))
	ctx, request := provider.Tracer("test").Start(context.Background(), "request")
	do(ctx)
	spans := exporter.GetSpans() // the span of the request has not ended
	for _, s := range spans {
		if s.Parent.SpanID() != request.SpanContext().SpanID() || s.SpanContext.TraceID() != request.SpanContext().TraceID() {
			t.Errorf("%s is not a child of the request", s.Name)
		}
	}
	request.End()
	if err := provider.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	return spans
}

// attributes returns the names and values of a span's attributes, sorted.
func attributes(s tracetest.SpanStub) string {
	var all []string
	for _, a := range s.Attributes {
		all = append(all, string(a.Key)+"="+a.Value.String())
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

const took = 30 * time.Millisecond

// everything records one call and two operations; the second operation fails.
func everything(ctx context.Context) {
	traces.WeChat(ctx, wechat.Call{App: "wx1", Name: platform.CallLogin, Class: auth.ErrInvalidCode, ErrCode: 40029, Duration: took, Sent: true})
	traces.Store("redis")(ctx, "create", time.Now().Add(-took), nil)
	traces.Store("bolt")(ctx, "write", time.Now().Add(-took), errors.New("a secret path"))
}

func TestSpans(t *testing.T) {
	spans := within(t, trace.AlwaysSample(), everything)
	want := []struct {
		name, attributes string
		kind             api.SpanKind
		status           trace.Status
	}{
		{"wechat jscode2session", "error.type=invalid_code wxgate.app=wx1 wxgate.call=jscode2session wxgate.outcome=invalid_code wxgate.sent=true",
			api.SpanKindClient, trace.Status{Code: codes.Error, Description: "invalid_code"}},
		{"store create", "db.operation.name=create db.system.name=redis wxgate.outcome=ok", api.SpanKindClient, trace.Status{}},
		{"store write", "db.operation.name=write db.system.name=bolt error.type=failed wxgate.outcome=failed",
			api.SpanKindInternal, trace.Status{Code: codes.Error, Description: "failed"}},
	}
	if len(spans) != len(want) {
		t.Fatalf("%d spans, want %d", len(spans), len(want))
	}
	for i, w := range want {
		s := spans[i]
		if s.Name != w.name || attributes(s) != w.attributes || s.SpanKind != w.kind || s.Status != w.status || len(s.Events) != 0 {
			t.Errorf("%s %v %+v with %s, want %+v", s.Name, s.SpanKind, s.Status, attributes(s), w)
		}
		if lasted := s.EndTime.Sub(s.StartTime); lasted < took {
			t.Errorf("%s lasted %v, want %v or more", s.Name, lasted, took)
		}
	}
}

// TestNoSpans: without a recording span there are neither spans nor allocations.
func TestNoSpans(t *testing.T) {
	if spans := within(t, trace.NeverSample(), everything); len(spans) != 0 {
		t.Errorf("a request that is not sampled has %d spans", len(spans))
	}
	store, began, call := traces.Store("redis"), time.Now(), wechat.Call{App: "wx1", Name: platform.CallLogin}
	if n := testing.AllocsPerRun(100, func() {
		store(context.Background(), "create", began, nil)
		traces.WeChat(context.Background(), call)
	}); n != 0 {
		t.Errorf("%v allocations without tracing", n)
	}
}

// TestSpansAreDocumented compares the table of docs/observability.md with the spans: their
// attributes and their kinds.
func TestSpansAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	quoted := regexp.MustCompile("`([a-z._]+)`")
	for _, row := range regexp.MustCompile("(?m)^\\| `(wechat|store) <[a-z]+>` \\| ([^|]+) \\| ([^|]+) \\| \\S").FindAllStringSubmatch(string(page), -1) {
		var names []string
		for _, name := range quoted.FindAllStringSubmatch(row[3], -1) {
			names = append(names, name[1])
		}
		slices.Sort(names)
		documented[row[1]] = strings.Join(names, " ")
	}
	made := map[string]map[string]bool{}
	for _, s := range within(t, trace.AlwaysSample(), everything) {
		kind, _, _ := strings.Cut(s.Name, " ")
		if made[kind] == nil {
			made[kind] = map[string]bool{}
		}
		for _, a := range s.Attributes {
			made[kind][string(a.Key)] = true
		}
	}
	for kind, names := range made {
		var all []string
		for name := range names {
			all = append(all, name)
		}
		slices.Sort(all)
		if got := strings.Join(all, " "); got != documented[kind] {
			t.Errorf("docs/observability.md has for %s %q, want %q", kind, documented[kind], got)
		}
	}
	if len(made) != 2 || len(documented) != 2 {
		t.Errorf("%d kinds of spans, %d documented", len(made), len(documented))
	}
}
