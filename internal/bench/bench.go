package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wxgate/wxgate/internal/bench/load"
	"github.com/wxgate/wxgate/internal/bench/report"
)

// Run measures. The error wraps [ErrUsage] if the configuration must be changed.
func Run(ctx context.Context, cfg Config) (run *report.Run, err error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	w := &workbench{cfg: &cfg}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.open(ctx); err != nil {
		return nil, err
	}
	run = w.newRun()
	return run, w.measure(ctx, run)
}

// newRun describes the run.
func (w *workbench) newRun() *report.Run {
	run := &report.Run{
		Scenario: w.cfg.Scenario, Unit: w.cfg.scenario.unit, Baseline: w.cfg.Baseline, Targets: w.cfg.targets,
		Settings: report.Settings{
			Rounds: w.cfg.Rounds, Seconds: w.cfg.Duration.Seconds(), Warmup: w.cfg.Warmup.Seconds(), Connections: w.cfg.Connections,
			Rate: w.cfg.Rate, Tokens: w.cfg.Tokens, Sessions: w.cfg.Sessions, Revocations: w.cfg.Revocations,
		},
		Machine: newMachine(),
	}
	if !w.cfg.scenario.proxies {
		run.Settings.Tokens = 0
	}
	if w.cfg.Scenario == idleScenario {
		run.Settings.Connections, run.Settings.Warmup = 0, 0
	}
	return run
}

// measure runs all rounds.
func (w *workbench) measure(ctx context.Context, run *report.Run) error {
	one := w.loadOnce
	if w.cfg.Scenario == idleScenario {
		one = w.startOnce
	} else if err := w.startAll(ctx); err != nil {
		return err
	}
	all := w.cfg.Rounds * len(w.servers)
	for round := range w.cfg.Rounds {
		for _, i := range order(round, len(w.servers)) {
			s := w.servers[i]
			w.cfg.Progress(len(run.Rounds), all, fmt.Sprintf("round %d of %d: %s", round+1, w.cfg.Rounds, s.name))
			values, err := one(ctx, s)
			if err != nil {
				return fmt.Errorf("measuring %s: %w", s.name, err)
			}
			run.Rounds = append(run.Rounds, report.Round{Round: round + 1, Target: s.name, Values: values})
		}
	}
	return nil
}

// startAll starts the servers that are not peers.
func (w *workbench) startAll(ctx context.Context) error {
	for _, s := range w.servers {
		if s.start == nil {
			continue
		}
		w.cfg.Progress(0, 0, "starting "+s.name)
		if _, err := s.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// order returns the order of n servers in a round. Each cycle of n rounds has every server
// in every place once; every other cycle runs backwards, so that each follows each other
// equally often. A machine that slows down steadily then slows down all of them equally.
func order(round, n int) []int {
	places := make([]int, n)
	for i := range places {
		places[i] = (round + i) % n
	}
	if round/n%2 == 1 {
		slices.Reverse(places)
	}
	return places
}

// callers returns the callers of a server.
func (w *workbench) callers(s *server, g guarding) []load.Caller {
	n := w.cfg.Connections
	switch w.cfg.Scenario {
	case loginScenario, refreshScenario:
		return newLoginCallers(s.address, n, w.weChat.sim, w.cfg.Scenario == refreshScenario)
	}
	tokens := w.tokens[:max(w.cfg.Tokens, 1)]
	if s.name == cached {
		tokens = w.tokens[:fewTokens]
	}
	return newTokenCallers(s.address, n, tokens, g)
}
