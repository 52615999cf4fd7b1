package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// State is the state of the process during a scrape. While one configuration replaces another,
// there may be two clients of one app, two stores and two key rings. They are combined: a
// duplicate metric would make the scrape fail.
type State struct {
	apps        map[string]*appState
	revocations int
	streams     int

	sessions, users   int
	bytes             int64
	counted, measured bool

	staleness time.Duration
	shared    bool

	keyAge time.Duration
	signs  bool

	queues  map[string]Queue       // by kind
	budgets map[string]budgetState // by app
}

type appState struct {
	gateway, openapi float64       // the worse of two
	tokenAge         time.Duration // the lower of two; below 0 for none
}

// breakerValues are the values of the states of circuit breakers, by their names in package
// wechat.
var breakerValues = map[string]float64{"closed": 0, "half-open": 1, "open": 2}

// AddApp adds a client of an app: its circuit breakers, and the age of its access token if
// it has one.
func (s *State) AddApp(app, gateway, openapi string, tokenAge time.Duration, hasToken bool) {
	if s.apps == nil {
		s.apps = make(map[string]*appState)
	}
	state := s.apps[app]
	if state == nil {
		state = &appState{tokenAge: -1}
		s.apps[app] = state
	}
	state.gateway = max(state.gateway, breakerValues[gateway])
	state.openapi = max(state.openapi, breakerValues[openapi])
	if hasToken && (state.tokenAge < 0 || tokenAge < state.tokenAge) {
		state.tokenAge = tokenAge
	}
}

// AddStore adds a store: the revocations in effect, and the open responses that they may end.
func (s *State) AddStore(revocations, streams int) {
	s.revocations += revocations
	s.streams += streams
}

// AddSessions adds the number of sessions of a store, and of the users who have one.
func (s *State) AddSessions(sessions, users int) {
	s.sessions += sessions
	s.users += users
	s.counted = true
}

// AddBytes adds the size of a store.
func (s *State) AddBytes(n int64) { s.bytes, s.measured = s.bytes+n, true }

// AddStaleness adds how old the newest known revocations of a shared store are.
func (s *State) AddStaleness(d time.Duration) {
	s.staleness, s.shared = max(s.staleness, d), true
}

// AddSigningKey adds the age of a signing key. The oldest is reported.
func (s *State) AddSigningKey(age time.Duration) { s.keyAge, s.signs = max(s.keyAge, age), true }

// AddQueue adds a queue of messages of a kind.
func (s *State) AddQueue(kind string, q Queue) {
	if s.queues == nil {
		s.queues = make(map[string]Queue)
	}
	s.queues[kind] = s.queues[kind].plus(q)
}

// StateCollector reports a [State], which it reads when it is collected. It must not be slow:
// Prometheus waits ten seconds for a scrape.
type StateCollector func() State

var (
	breakerState = prometheus.NewDesc("wxgate_wechat_breaker",
		"Circuit breakers towards WeChat, by app and by whose calls they guard, gateway or openapi: 0 closed, 1 half-open, 2 open.",
		[]string{"app", "calls"}, nil)
	tokenAge = prometheus.NewDesc("wxgate_wechat_token_age_seconds",
		"How long ago the app's access token was fetched, or its component's; absent while there is none.",
		[]string{"app"}, nil)
	storeStaleness = prometheus.NewDesc("wxgate_revocations_stale_seconds",
		"How old the newest known revocations of other machines are: under a second in normal operation. Absent without store redis.",
		nil, nil)
	storeRevocations = prometheus.NewDesc("wxgate_revocations",
		"Revocations in effect, each until the last access token that it covers expires.", nil, nil)
	storeStreams = prometheus.NewDesc("wxgate_streams",
		"Open responses to authenticated clients: WebSockets, event streams, and others that have taken longer than a second.",
		nil, nil)
	storeSessions = prometheus.NewDesc("wxgate_sessions",
		"Sessions in the store; those of all machines with store redis, else with those that expired less than a minute ago. Absent while a large file is being checked after a start, and while Redis does not respond.",
		nil, nil)
	storeUsers = prometheus.NewDesc("wxgate_users",
		"Users who have a session, each once for each app; counted like wxgate_sessions.", nil, nil)
	storeBytes = prometheus.NewDesc("wxgate_store_bytes",
		"Size of the store file, or the memory that the Redis server uses. Absent with store memory, with a Cluster, and while Redis does not respond.",
		nil, nil)
	keyAge = prometheus.NewDesc("wxgate_signing_key_age_seconds",
		"How long the current signing key has been signing. A configured key counts from when wxgate first had it.", nil, nil)
)

// Describe implements prometheus.Collector.
func (StateCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		breakerState, tokenAge, storeStaleness, storeRevocations, storeStreams, storeSessions, storeUsers, storeBytes, keyAge,
		queueDepth, queueBytes, queueOldest, queueDead, budgetLeft, budgetLimit,
	} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (read StateCollector) Collect(collected chan<- prometheus.Metric) {
	s := read()
	report := func(desc *prometheus.Desc, known bool, value float64, labels ...string) {
		if known {
			collected <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
		}
	}
	for app, state := range s.apps {
		report(breakerState, true, state.gateway, app, "gateway")
		report(breakerState, true, state.openapi, app, "openapi")
		report(tokenAge, state.tokenAge >= 0, state.tokenAge.Seconds(), app)
	}
	report(storeRevocations, true, float64(s.revocations))
	report(storeStreams, true, float64(s.streams))
	report(storeStaleness, s.shared, s.staleness.Seconds())
	report(storeSessions, s.counted, float64(s.sessions))
	report(storeUsers, s.counted, float64(s.users))
	report(storeBytes, s.measured, float64(s.bytes))
	report(keyAge, s.signs, s.keyAge.Seconds())
	for app, budget := range s.budgets {
		report(budgetLeft, true, float64(budget.left), app)
		report(budgetLimit, true, float64(budget.limit), app)
	}
	for kind, q := range s.queues {
		report(queueDepth, true, float64(q.Entries), kind)
		report(queueBytes, true, float64(q.Bytes), kind)
		report(queueOldest, true, q.age().Seconds(), kind)
		report(queueDead, true, float64(q.Dead), kind)
	}
}

// NewBuildInfo returns a metric with the versions of the program.
func NewBuildInfo(wxgate, golang, caddy string) prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "wxgate_build_info",
		Help:        "Always 1; the labels have the versions of wxgate, Go and Caddy.",
		ConstLabels: prometheus.Labels{"version": wxgate, "go": golang, "caddy": caddy},
	})
	info.Set(1)
	return info
}

// Interface guards
var _ prometheus.Collector = StateCollector(nil)
