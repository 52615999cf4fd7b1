package app

import (
	"context"
	"errors"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/budget"
	"github.com/wxgate/wxgate/internal/metrics"
)

// budgets has the budgets of phone codes, budgetKey → *pooledBudget, with the calls in
// progress. They outlive a reload.
var budgets = caddy.NewUsagePool()

type budgetKey struct {
	store storeKey
	app   auth.AppID
	rate  budget.Rate
}

type pooledBudget struct{ budget *budget.Budget }

// Destruct implements caddy.Destructor. The counts stay in the store.
func (*pooledBudget) Destruct() error { return nil }

// openBudgets opens the budgets of the apps that have one.
func (o *opener) openBudgets(context.Context) error {
	o.budgets = make(map[auth.AppID]auth.PhoneBudget)
	for _, m := range o.app.MiniPrograms {
		rate := m.Budget()
		if rate == nil {
			continue
		}
		app := m.ID()
		opened, err := Acquire(budgets, budgetKey{o.app.Store.key(), app, *rate}, &o.releases, func() (*pooledBudget, error) {
			return &pooledBudget{budget.New(budget.Config{
				Store: o.store.budgets, App: app, Rate: *rate,
				Observe: func(outcome budget.Outcome) { metrics.ObservePhoneBudget(app, string(outcome)) },
			})}, nil
		})
		if err != nil {
			return err
		}
		o.budgets[app] = func(ctx context.Context) (settle func(charged bool), err error) {
			settle, err = opened.budget.Reserve(ctx)
			if refused, ok := errors.AsType[*auth.BudgetError](err); ok && refused.First {
				o.app.record(audit.Event{Action: audit.BudgetExhausted, By: audit.Gateway, App: app, Outcome: audit.OK})
			}
			return settle, err
		}
	}
	return nil
}

// reportBudgets adds the budgets to the state of the process.
func reportBudgets(ctx context.Context, state *metrics.State) {
	budgets.Range(func(key, value any) bool {
		k := key.(budgetKey)
		if left, err := value.(*pooledBudget).budget.Left(ctx); err == nil {
			state.AddBudget(string(k.app), left, k.rate.Calls)
		}
		return true
	})
}
