package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxgate/wxgate/internal/auth"
)

var (
	phoneBudget = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_phone_budget_total",
		Help: "Phone codes of apps with phone_budget, by app and outcome: spent, returned (WeChat refused the code, or it was not sent), kept (it should have been returned, and the store failed), exhausted (refused until the window ends), busy (refused for a second) or failed (refused, the store is down).",
	}, []string{"app", "outcome"})

	budgetLeft = prometheus.NewDesc("wxgate_phone_budget_left",
		"Phone codes that the current window of phone_budget has left, by app, over all machines. Absent without phone_budget, and while the store is down.",
		[]string{"app"}, nil)
)

// ObservePhoneBudget counts a phone code of an app with a budget.
func ObservePhoneBudget(app auth.AppID, outcome string) {
	phoneBudget.WithLabelValues(string(app), outcome).Inc()
}

// AddBudget adds what is left of an app's budget. While one configuration replaces another the
// app may have two, of which the smaller counts.
func (s *State) AddBudget(app string, left int) {
	if s.budgets == nil {
		s.budgets = make(map[string]int)
	}
	if other, ok := s.budgets[app]; ok {
		left = min(left, other)
	}
	s.budgets[app] = left
}
