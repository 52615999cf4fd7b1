package caddymodule

import (
	"github.com/prometheus/client_golang/prometheus"
)

// platformState shows how each configured app stands with WeChat, when asked. The
// label app is one of the configured appids and nothing else.
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

// appState is one app's, or several clients' of one app: while a configuration
// replaces another that had other settings, both are there, and a duplicate
// metric would fail the whole scrape.
type appState struct {
	gateway, openapi float64 // the worse
	age              float64 // the younger; below 0 for none
}

// Collect implements prometheus.Collector.
func (platformState) Collect(metrics chan<- prometheus.Metric) {
	apps := make(map[string]*appState)
	platforms.Range(func(key, value any) bool {
		id, ok := key.(platformKey)
		open, opened := value.(*openPlatform)
		if ok && opened {
			if apps[id.app] == nil {
				apps[id.app] = &appState{age: -1}
			}
			apps[id.app].add(open)
		}
		return true
	})
	for app, s := range apps {
		metrics <- gauge(breakerState, s.gateway, app, "gateway")
		metrics <- gauge(breakerState, s.openapi, app, "openapi")
		if s.age >= 0 {
			metrics <- gauge(tokenAge, s.age, app)
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

func (s *appState) add(o *openPlatform) {
	s.gateway = max(s.gateway, breakerValues[o.client.Breaker()])
	s.openapi = max(s.openapi, breakerValues[o.client.ForwardBreaker()])
	if age, ok := o.client.TokenAge(); ok && (s.age < 0 || age.Seconds() < s.age) {
		s.age = age.Seconds()
	}
}

var breakerValues = map[string]float64{"closed": 0, "half-open": 1, "open": 2}

// Interface guards
var _ prometheus.Collector = platformState{}
