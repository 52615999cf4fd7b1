package caddymodule

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/wechat"
)

const (
	outcomeOK        = "ok"
	outcomeAdmitted  = "admitted"
	outcomeAnonymous = "anonymous"
	outcomeAnswered  = "answered"
	outcomeBroken    = "broken"
)

// metrics are the process's collectors. They live outside any configuration, so
// that they go on counting across reloads; each configuration registers them in
// the registry that Caddy makes for it. Labels come from closed sets: the words
// of problem.go and the names of endpoints.go.
var metrics = newCollectors()

type collectors struct {
	requests *prometheus.CounterVec
	calls    *prometheus.CounterVec
	stripped prometheus.Counter
	streams  prometheus.Gauge
	wechat   *prometheus.HistogramVec
	openapi  *prometheus.HistogramVec
	pushes   *prometheus.CounterVec
	rawKeys  *prometheus.CounterVec
	decodes  *prometheus.CounterVec
	unknown  prometheus.Counter
	revoked  prometheus.Histogram
	store    *prometheus.HistogramVec
}

func newCollectors() *collectors {
	return &collectors{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_requests_total",
			Help: "Guarded requests, by outcome: admitted, anonymous, or the error code.",
		}, []string{"outcome"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_calls_total",
			Help: "Calls of the login API, by call and outcome: ok or the error code.",
		}, []string{"call", "outcome"}),
		stripped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "wxgate_stripped_headers_total",
			Help: "Identity headers sent by clients and removed.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "wxgate_streams",
			Help: "Open responses to authenticated clients: WebSockets, event streams, and others that have taken longer than a second.",
		}),
		rawKeys: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_raw_session_keys_total",
			Help: "Data that clients sent with WeChat's session_key, by outcome. Only old clients do.",
		}, []string{"outcome"}),
		decodes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_open_data_total",
			Help: "Attempts to decrypt open data, by app and outcome: opened, failed, stale (the session_key is locked or unknown) or limited. Many failures of few users are an attack.",
		}, []string{"app", "outcome"}),
		unknown: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "wxgate_phone_unknown_members_total",
			Help: "Members of decrypted phone numbers that WeChat's documentation does not name. WeChat added some, or the data was forged.",
		}),
		wechat: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "wxgate_wechat_seconds",
			Help:    "Calls to WeChat, by call and outcome: ok or the error code.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"call", "outcome"}),
		pushes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_pushes_total",
			Help: "Messages that WeChat pushed to the callback, by event: user_authorization_revoke, user_authorization_cancellation or other.",
		}, []string{"event"}),
		revoked: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "wxgate_revocation_seconds",
			Help:    "Delay of revocations made on other machines, measured across both clocks.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
		store: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "wxgate_store_seconds",
			Help:    "Operations of store redis, by operation and outcome: ok, unavailable, or failed.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}, []string{"operation", "outcome"}),
		openapi: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "wxgate_openapi_seconds",
			Help:    "Calls of upstreams to WeChat, bodies and waiting for a token included, by outcome: answered (with any response of WeChat), broken (the response ended early), or the error code.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"outcome"}),
	}
}

// observeRevocation counts a revocation that another machine made. Where clocks
// differ, it may seem to have come before it was made.
func (c *collectors) observeRevocation(took time.Duration) {
	c.revoked.Observe(max(0, took).Seconds())
}

// observeStore counts one operation of a shared store.
func (c *collectors) observeStore(operation string, took time.Duration, err error) {
	c.store.WithLabelValues(operation, storeOutcome(err)).Observe(took.Seconds())
}

// register adds the collectors to a configuration's registry.
func (c *collectors) register(registry *prometheus.Registry) error {
	if registry == nil {
		return nil
	}
	for _, collector := range []prometheus.Collector{c.requests, c.calls, c.stripped, c.streams, c.wechat, c.openapi, c.pushes, platformState{}, c.rawKeys, c.decodes, c.unknown, c.revoked, c.store, storeState{}} {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(collector); err != nil && !errors.As(err, &already) {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

// observeWeChat counts one call to the platform.
func (c *collectors) observeWeChat(call wechat.Call) {
	outcome := outcomeOK
	if call.Class != nil {
		outcome = problem.Of(call.Class).Code
	}
	c.wechat.WithLabelValues(string(call.Name), outcome).Observe(call.Duration.Seconds())
}
