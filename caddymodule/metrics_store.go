package caddymodule

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxgate/wxgate/internal/auth"
)

// The outcomes of a store's operation. That there is no such session, or that a
// rule refused, is an answer.
const (
	outcomeUnavailable = "unavailable"
	outcomeFailed      = "failed"
)

// storeAnswers are the errors that say that the store has worked.
var storeAnswers = []error{
	auth.ErrNoSession, auth.ErrSessionRevoked, auth.ErrRefreshReused, auth.ErrInvalidToken, auth.ErrAppNotAdmitted, auth.ErrSessionStale,
}

func storeOutcome(err error) string {
	if err == nil {
		return outcomeOK
	}
	if errors.Is(err, auth.ErrStoreUnavailable) {
		return outcomeUnavailable
	}
	if _, early := errors.AsType[*auth.CreatedTooEarlyError](err); early {
		return outcomeOK
	}
	for _, answer := range storeAnswers {
		if errors.Is(err, answer) {
			return outcomeOK
		}
	}
	return outcomeFailed
}

// storeState reports the state of the open stores when it is collected.
type storeState struct{}

var storeStaleness = prometheus.NewDesc("wxgate_revocations_stale_seconds",
	"How old the newest known revocations of other machines are: under a second in normal operation. Absent without store redis.",
	nil, nil)

var storeRevocations = prometheus.NewDesc("wxgate_revocations",
	"Revocations in effect, each until the last access token that it covers expires.", nil, nil)

// Describe implements prometheus.Collector.
func (storeState) Describe(descs chan<- *prometheus.Desc) {
	descs <- storeStaleness
	descs <- storeRevocations
}

// Collect implements prometheus.Collector. While one configuration replaces
// another there may be two stores: the worse staleness and the sum are reported.
func (storeState) Collect(metrics chan<- prometheus.Metric) {
	worst, shared, revocations := 0.0, false, 0
	stores.Range(func(_, value any) bool {
		open, ok := value.(*openStore)
		if !ok {
			return true
		}
		revocations += open.revocations.Len()
		if open.redis != nil {
			worst, shared = max(worst, open.redis.Stale().Seconds()), true
		}
		return true
	})
	metrics <- gauge(storeRevocations, float64(revocations))
	if shared {
		metrics <- gauge(storeStaleness, worst)
	}
}

// Interface guards
var _ prometheus.Collector = storeState{}
