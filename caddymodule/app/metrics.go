package app

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxgate/wxgate/caddymodule/queues"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/version"
)

// sizeTimeout bounds the queries for the size of a store, for the number of its sessions and for
// the rest of budgets. Prometheus waits ten seconds for a scrape.
const sizeTimeout = 500 * time.Millisecond

// readState reads the state of everything that is open in the pools.
func readState() (state metrics.State) {
	platforms.Range(func(key, value any) bool {
		if id, ok := key.(platformKey); ok {
			client := value.(*pooledClient).client
			age, hasToken := client.TokenAge()
			state.AddApp(string(id.client.App), client.Breaker(), client.ForwardBreaker(), age, hasToken)
		}
		return true
	})
	stores.Range(func(_, value any) bool {
		value.(*pooledStore).report(&state)
		return true
	})
	rings.Range(func(_, value any) bool {
		for _, key := range value.(*pooledRing).ring.Keys() {
			if key.State == keyring.KeySigning {
				state.AddSigningKey(time.Since(key.SignsFrom))
			}
		}
		return true
	})
	queues.Report(&state)
	ctx, cancel := context.WithTimeout(context.Background(), sizeTimeout)
	defer cancel()
	reportBudgets(ctx, &state)
	return state
}

// report adds the store to the state of the process.
func (s *pooledStore) report(state *metrics.State) {
	state.AddStore(s.revocations.Len(), s.revocations.Watches())
	if s.redis != nil {
		state.AddStaleness(s.redis.Stale())
	}
	ctx, cancel := context.WithTimeout(context.Background(), sizeTimeout)
	defer cancel()
	if n, known := s.counts(ctx); known {
		state.AddSessions(n.Sessions, n.Users)
	}
	if s.bytes == nil {
		return
	}
	if n, err := s.bytes(ctx); err == nil { // otherwise wxgate_store_seconds shows it
		state.AddBytes(n)
	}
}

// registerMetrics adds the collectors of the process to a configuration's registry.
func registerMetrics(ctx caddy.Context) error {
	simple, _ := caddy.Version()
	info := metrics.NewBuildInfo(version.String(), runtime.Version(), simple)
	return RegisterMetrics(ctx, append(metrics.Collectors(), metrics.StateCollector(readState), info)...)
}

// RegisterMetrics adds collectors to a configuration's registry, unless they are registered.
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
