// Package metrics has the collectors of the process. They do not belong to a configuration, so
// they continue to count across reloads. Labels have a closed set of values: the error codes of
// internal/problem, the names of calls, and the configured appids.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

// The outcomes besides the error codes.
const (
	OK        = "ok"        // of a call
	Admitted  = "admitted"  // of a guarded request
	Anonymous = "anonymous" // of a guarded request without an identity
	Answered  = "answered"  // of a call to WeChat, with any response
	Broken    = "broken"    // of a call to WeChat whose response ended early

	UpstreamFailed = "upstream_failed" // of a prefetch: the next handler returned an error
)

var (
	// Requests counts guarded requests.
	Requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_requests_total",
		Help: "Guarded requests, by outcome: admitted, anonymous, or the error code.",
	}, []string{"outcome"})

	// AdmittedRequests is Requests with the outcome of nearly every request, looked up once.
	AdmittedRequests = Requests.WithLabelValues(Admitted)

	// AnonymousRequests is Requests with the outcome of requests on public paths.
	AnonymousRequests = Requests.WithLabelValues(Anonymous)

	// Calls counts calls of the login API.
	Calls = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_calls_total",
		Help: "Calls of the login API, by call and outcome: ok or the error code.",
	}, []string{"call", "outcome"})

	// Stripped counts identity headers that clients sent.
	Stripped = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "wxgate_stripped_headers_total",
		Help: "Identity headers sent by clients and removed.",
	})

	// RawKeys counts data decrypted with a session_key that a client sent.
	RawKeys = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_raw_session_keys_total",
		Help: "Data that clients sent with WeChat's session_key, by outcome. Only old clients do.",
	}, []string{"outcome"})

	decodes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_open_data_total",
		Help: "Attempts to decrypt open data, by app and outcome: opened, failed, stale (the session_key is locked or unknown) or limited. Many failures of few users are an attack.",
	}, []string{"app", "outcome"})

	// UnknownMembers counts undocumented members of phone numbers.
	UnknownMembers = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "wxgate_phone_unknown_members_total",
		Help: "Members of decrypted phone numbers that WeChat's documentation does not name. WeChat added some, or the data was forged.",
	})

	wechatSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "wxgate_wechat_seconds",
		Help:    "Calls to WeChat, by app, call and outcome: ok or the error code.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"app", "call", "outcome"})

	// Pushes counts messages that WeChat pushed to the callback.
	Pushes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_pushes_total",
		Help: "Messages that WeChat pushed to the callback, by event (user_authorization_revoke, user_authorization_cancellation or other) and outcome: queued (stored for a service), duplicate, ignored (no service gets it) or failed (WeChat sends it again).",
	}, []string{"event", "outcome"})

	// Prefetches counts the GETs of WeChat's servers for data of a mini program.
	Prefetches = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_prefetches_total",
		Help: "Prefetches by WeChat's servers, by what names the user (token, code or none) and outcome: ok, upstream_failed or the error code.",
	}, []string{"by", "outcome"})

	// PushReplies counts the outcomes of replies of services to messages that WeChat pushed.
	PushReplies = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_push_replies_total",
		Help: "Responses of services of a forward with reply, by outcome: sent (WeChat got it as a passive reply), empty (nothing to reply), invalid (WeChat would not accept it) or late (not within four seconds; WeChat got success).",
	}, []string{"outcome"})

	revocationSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "wxgate_revocation_seconds",
		Help:    "Delay of revocations made on other machines, measured across both clocks.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	})

	storeSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "wxgate_store_seconds",
		Help:    "Operations of store redis or bolt, by operation and outcome: ok, unavailable, or failed.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
	}, []string{"operation", "outcome"})

	queueMessages = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_queue_messages_total",
		Help: "Messages of the durable queue, by kind (event or push) and outcome: queued, delivered, retried (an attempt failed), dead (given up) or dropped (the queue was full).",
	}, []string{"kind", "outcome"})

	// OpenAPI has the durations of calls of upstreams to WeChat, in seconds.
	OpenAPI = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "wxgate_openapi_seconds",
		Help:    "Calls of upstreams to WeChat, bodies and waiting for a token included, by outcome: `answered` (with any response of WeChat), `broken` (the response ended early), or the error code.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	}, []string{"outcome"})
)

// Collectors returns all collectors, for a registry.
func Collectors() []prometheus.Collector {
	return []prometheus.Collector{
		Requests, Calls, logins, LoginRisks, refreshes, Stripped, RawKeys, decodes, UnknownMembers, phoneCalls, phoneBudget, limited, EventsDropped,
		wechatSeconds, securityChecks, Pushes, PushReplies, Prefetches, revocationSeconds, storeSeconds, queueMessages, OpenAPI,
	}
}

// ObserveRevocation observes the delay of a revocation that another machine made. If clocks
// differ, the delay may be negative.
func ObserveRevocation(took time.Duration) {
	revocationSeconds.Observe(max(0, took).Seconds())
}

// ObserveStore counts one operation of a store.
func ObserveStore(operation string, began time.Time, err error) {
	storeSeconds.WithLabelValues(operation, StoreOutcome(err)).Observe(time.Since(began).Seconds())
}

// ObserveQueue counts an outcome of n messages of a kind.
func ObserveQueue(kind, outcome string, n int) {
	queueMessages.WithLabelValues(kind, outcome).Add(float64(n))
}

// ObserveWeChat counts one call to the platform.
func ObserveWeChat(call wechat.Call) {
	outcome := Outcome(call.Class)
	wechatSeconds.WithLabelValues(string(call.App), string(call.Name), outcome).Observe(call.Duration.Seconds())
	if call.Name == platform.CallPhone && call.Sent {
		phoneCalls.WithLabelValues(string(call.App), outcome).Inc()
	}
}
