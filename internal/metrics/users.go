package metrics

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxgate/wxgate/internal/auth"
)

var (
	logins = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_logins_total",
		Help: "Logins, by app and outcome: ok or the error code. A login whose app is not known is only in wxgate_calls_total.",
	}, []string{"app", "outcome"})

	// LoginRisks counts the logins of apps that ask for a risk.
	LoginRisks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_login_risks_total",
		Help: "Logins of apps with the option risk, by app and rank: 0 to 4, or unknown.",
	}, []string{"app", "rank"})

	refreshes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_refreshes_total",
		Help: "Refresh tokens that clients presented, by app and outcome: ok or the error code. The app is empty if the token names no session of the store.",
	}, []string{"app", "outcome"})

	phoneCalls = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_phone_calls_total",
		Help: "Phone codes sent to WeChat, by app and outcome: ok or the error code. WeChat charges for each ok.",
	}, []string{"app", "outcome"})

	limited = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_limit_refused_total",
		Help: "Requests that a limit refused, by limit: login, login48 (an IPv6 /48), scan, ticket, phone, decode or inflight.",
	}, []string{"limit"})
)

// EventsDropped counts events of Caddy's app "events" that were not emitted.
var EventsDropped = prometheus.NewCounter(prometheus.CounterOpts{
	Name: "wxgate_events_dropped_total",
	Help: "Events that were dropped because a handler was too slow.",
})

// ObserveLogin counts a login of a configured app.
func ObserveLogin(app auth.AppID, err error) {
	logins.WithLabelValues(string(app), Outcome(err)).Inc()
}

// ObserveRefresh counts a refresh. Either grant or err is nil.
func ObserveRefresh(grant *auth.Grant, err error) {
	var app auth.AppID
	if grant != nil {
		app = grant.Identity.App
	} else if refused, ok := errors.AsType[*auth.SessionError](err); ok {
		app = refused.User.App
	}
	refreshes.WithLabelValues(string(app), Outcome(err)).Inc()
}

// ObserveLimited counts a request that a limit refused; limit is one of the names in
// package limit.
func ObserveLimited(limit string) { limited.WithLabelValues(limit).Inc() }
