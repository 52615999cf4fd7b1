package app

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxgate/wxgate/internal/metrics"
)

// platformState reports each app's circuit breakers and access token when it is
// collected. The label app has the configured appids only.
type platformState struct{}

var (
	breakerState = prometheus.NewDesc("wxgate_wechat_breaker",
		"Circuit breakers towards WeChat, by app and by whose calls they guard, gateway or openapi: 0 closed, 1 half-open, 2 open.",
		[]string{"app", "calls"}, nil)
	tokenAge = prometheus.NewDesc("wxgate_wechat_token_age_seconds",
		"How long ago the app's access token was fetched, or its component's; absent while there is none.",
		[]string{"app"}, nil)
)

// Describe implements prometheus.Collector.
func (platformState) Describe(descs chan<- *prometheus.Desc) {
	descs <- breakerState
	descs <- tokenAge
}

// appState is the state of all clients of one app. While a configuration replaces another
// that has other settings, there are two, and a duplicate metric would fail the scrape.
type appState struct {
	gateway, openapi float64 // the worse
	age              float64 // the younger; below 0 for none
}

// Collect implements prometheus.Collector.
func (platformState) Collect(collected chan<- prometheus.Metric) {
	apps := make(map[string]*appState)
	platforms.Range(func(key, value any) bool {
		id, ok := key.(platformKey)
		open, opened := value.(*pooledClient)
		if ok && opened {
			if apps[id.app] == nil {
				apps[id.app] = &appState{age: -1}
			}
			apps[id.app].add(open)
		}
		return true
	})
	for app, s := range apps {
		collected <- gauge(breakerState, s.gateway, app, "gateway")
		collected <- gauge(breakerState, s.openapi, app, "openapi")
		if s.age >= 0 {
			collected <- gauge(tokenAge, s.age, app)
		}
	}
}

func gauge(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	metric, err := prometheus.NewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return metric
}

func (s *appState) add(o *pooledClient) {
	s.gateway = max(s.gateway, breakerValues[o.client.Breaker()])
	s.openapi = max(s.openapi, breakerValues[o.client.ForwardBreaker()])
	if age, ok := o.client.TokenAge(); ok && (s.age < 0 || age.Seconds() < s.age) {
		s.age = age.Seconds()
	}
}

var breakerValues = map[string]float64{"closed": 0, "half-open": 1, "open": 2}

// Interface guards
var _ prometheus.Collector = platformState{}

// storeState reports the state of the open stores when it is collected.
type storeState struct{}

var storeStaleness = prometheus.NewDesc("wxgate_revocations_stale_seconds",
	"How old the newest known revocations of other machines are: under a second in normal operation. Absent without store redis.",
	nil, nil)

var storeRevocations = prometheus.NewDesc("wxgate_revocations",
	"Revocations in effect, each until the last access token that it covers expires.", nil, nil)

var storeStreams = prometheus.NewDesc("wxgate_streams",
	"Open responses to authenticated clients: WebSockets, event streams, and others that have taken longer than a second.",
	nil, nil)

// Describe implements prometheus.Collector.
func (storeState) Describe(descs chan<- *prometheus.Desc) {
	descs <- storeStaleness
	descs <- storeRevocations
	descs <- storeStreams
}

// Collect implements prometheus.Collector. While one configuration replaces
// another there may be two stores: the worse staleness and the sums are reported.
func (storeState) Collect(collected chan<- prometheus.Metric) {
	worst, shared, revocations, streams := 0.0, false, 0, 0
	stores.Range(func(_, value any) bool {
		open, ok := value.(*pooledStore)
		if !ok {
			return true
		}
		revocations += open.revocations.Len()
		streams += open.revocations.Watches()
		if open.redis != nil {
			worst, shared = max(worst, open.redis.Stale().Seconds()), true
		}
		return true
	})
	collected <- gauge(storeRevocations, float64(revocations))
	collected <- gauge(storeStreams, float64(streams))
	if shared {
		collected <- gauge(storeStaleness, worst)
	}
}

// Interface guards
var _ prometheus.Collector = storeState{}

// registerMetrics adds the collectors of the process to a configuration's registry.
func registerMetrics(ctx caddy.Context) error {
	registry := ctx.GetMetricsRegistry()
	if registry == nil {
		return nil
	}
	for _, collector := range append(metrics.Collectors(), platformState{}, storeState{}) {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(collector); err != nil && !errors.As(err, &already) {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}
