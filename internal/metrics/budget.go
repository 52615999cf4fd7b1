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
	budgetLimit = prometheus.NewDesc("wxgate_phone_budget_limit",
		"Phone codes that a window of phone_budget has in all, by app.", []string{"app"}, nil)
)

// budgetState is a budget: the remaining calls of its window, and their total.
type budgetState struct{ left, limit int }

// ObservePhoneBudget counts a phone code of an app with a budget.
func ObservePhoneBudget(app auth.AppID, outcome string) {
	phoneBudget.WithLabelValues(string(app), outcome).Inc()
}

// AddBudget adds the budget of an app: the remaining calls of its window, and their total.
// While one configuration replaces another, the app may have two budgets; the one with fewer
// remaining calls is reported.
func (s *State) AddBudget(app string, left, limit int) {
	if s.budgets == nil {
		s.budgets = make(map[string]budgetState)
	}
	if other, ok := s.budgets[app]; ok && other.left < left {
		return
	}
	s.budgets[app] = budgetState{left, limit}
}
