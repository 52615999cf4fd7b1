// Package traces adds spans to the traces of requests: one for each call to a platform
// and one for each operation of a store. Caddy's directive tracing makes the span of the
// request. Without it, and for requests that are not sampled, this package does nothing.
package traces

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/wechat"
)

// scope is wxgate's instrumentation scope (OpenTelemetry) in every span.
const scope = "github.com/wxgate/wxgate"

// kindRedis is the kind of the only store that is another process.
const kindRedis = "redis"

// WeChat records one call to a platform, which ends now.
func WeChat(ctx context.Context, call wechat.Call) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return
	}
	now := time.Now()
	record(ctx, parent, span{
		name: "wechat " + string(call.Name), kind: trace.SpanKindClient, began: now.Add(-call.Duration), ended: now,
		outcome: metrics.Outcome(call.Class),
		attributes: []attribute.KeyValue{
			attribute.String("wxgate.app", string(call.App)),
			attribute.String("wxgate.call", string(call.Name)),
			attribute.Bool("wxgate.sent", call.Sent),
		},
	})
}

// Store returns a function that records one operation of a store of a kind, such as
// "bolt", which ends now (Observe of the options of a store).
func Store(kind string) func(ctx context.Context, operation string, began time.Time, err error) {
	return func(ctx context.Context, operation string, began time.Time, err error) {
		parent := trace.SpanFromContext(ctx)
		if !parent.IsRecording() {
			return
		}
		spanKind := trace.SpanKindInternal
		if kind == kindRedis {
			spanKind = trace.SpanKindClient
		}
		record(ctx, parent, span{
			name: "store " + operation, kind: spanKind, began: began, ended: time.Now(),
			outcome: metrics.StoreOutcome(err),
			attributes: []attribute.KeyValue{
				attribute.String("db.system.name", kind),
				attribute.String("db.operation.name", operation),
			},
		})
	}
}

// span is a span that has ended.
type span struct {
	name         string
	kind         trace.SpanKind
	began, ended time.Time
	outcome      string // ok or the kind of failure, never the text of an error, which may contain an address or more
	attributes   []attribute.KeyValue
}

// record adds a span to the trace of its parent, by the parent's provider.
func record(ctx context.Context, parent trace.Span, s span) {
	_, child := parent.TracerProvider().Tracer(scope).Start(ctx, s.name,
		trace.WithSpanKind(s.kind), trace.WithTimestamp(s.began), trace.WithAttributes(s.attributes...))
	child.SetAttributes(attribute.String("wxgate.outcome", s.outcome))
	if s.outcome != metrics.OK {
		child.SetAttributes(attribute.String("error.type", s.outcome))
		child.SetStatus(codes.Error, s.outcome)
	}
	child.End(trace.WithTimestamp(s.ended))
}
