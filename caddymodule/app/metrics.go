package app

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/version"
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

var storeSessions = prometheus.NewDesc("wxgate_sessions",
	"Sessions in the store, with those that expired less than a minute ago. Absent with store redis, and while a large file is being checked after a start.",
	nil, nil)

var storeBytes = prometheus.NewDesc("wxgate_store_bytes",
	"Size of the store file, or the memory that the Redis server uses. Absent with store memory, with a Cluster, and while Redis does not respond.",
	nil, nil)

// sizeTimeout bounds the question for the size of a store. Prometheus waits ten seconds
// for a scrape.
const sizeTimeout = 500 * time.Millisecond

// Describe implements prometheus.Collector.
func (storeState) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{storeStaleness, storeRevocations, storeStreams, storeSessions, storeBytes} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector. While one configuration replaces
// another there may be two stores: the worse staleness and the sums are reported.
func (storeState) Collect(collected chan<- prometheus.Metric) {
	worst, shared, revocations, streams := 0.0, false, 0, 0
	var size storeSize
	stores.Range(func(_, value any) bool {
		open, ok := value.(*pooledStore)
		if !ok {
			return true
		}
		revocations += open.revocations.Len()
		streams += open.revocations.Watches()
		size.add(open)
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
	if size.counted {
		collected <- gauge(storeSessions, float64(size.sessions))
	}
	if size.measured {
		collected <- gauge(storeBytes, float64(size.bytes))
	}
}

// storeSize is the size of all open stores.
type storeSize struct {
	sessions          int
	bytes             int64
	counted, measured bool
}

func (s *storeSize) add(open *pooledStore) {
	if open.sessions != nil {
		if n, known := open.sessions(); known {
			s.sessions, s.counted = s.sessions+n, true
		}
	}
	if open.bytes == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), sizeTimeout)
	defer cancel()
	if n, err := open.bytes(ctx); err == nil { // otherwise wxgate_store_seconds shows it
		s.bytes, s.measured = s.bytes+n, true
	}
}

// keyState reports the age of the signing keys when it is collected.
type keyState struct{}

var keyAge = prometheus.NewDesc("wxgate_signing_key_age_seconds",
	"How long the current signing key has been signing. A configured key counts from when wxgate first had it.", nil, nil)

// Describe implements prometheus.Collector.
func (keyState) Describe(descs chan<- *prometheus.Desc) { descs <- keyAge }

// Collect implements prometheus.Collector. Of several rings, the oldest key counts.
func (keyState) Collect(collected chan<- prometheus.Metric) {
	var age time.Duration
	signs := false
	rings.Range(func(_, value any) bool {
		if open, ok := value.(*pooledRing); ok {
			for _, key := range open.ring.Keys() {
				if key.State == keyring.KeySigning {
					age, signs = max(age, time.Since(key.SignsFrom)), true
				}
			}
		}
		return true
	})
	if signs {
		collected <- gauge(keyAge, age.Seconds())
	}
}

// newBuildInfo says which program runs.
func newBuildInfo() prometheus.Collector {
	simple, _ := caddy.Version()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "wxgate_build_info",
		Help:        "Always 1; the labels have the versions of wxgate, Go and Caddy.",
		ConstLabels: prometheus.Labels{"version": version.String(), "go": runtime.Version(), "caddy": simple},
	})
	info.Set(1)
	return info
}

// Interface guards
var (
	_ prometheus.Collector = storeState{}
	_ prometheus.Collector = keyState{}
)

// registerMetrics adds the collectors of the process to a configuration's registry.
func registerMetrics(ctx caddy.Context) error {
	return RegisterMetrics(ctx, append(metrics.Collectors(), platformState{}, storeState{}, keyState{}, newBuildInfo())...)
}

// RegisterMetrics adds collectors to a configuration's registry, unless they are there.
func RegisterMetrics(ctx caddy.Context, collectors ...prometheus.Collector) error {
	registry := ctx.GetMetricsRegistry()
	if registry == nil {
		return nil
	}
	for _, collector := range collectors {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(collector); err != nil && !errors.As(err, &already) {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}
