package bench

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/wxgate/wxgate/internal/bench/load"
	"github.com/wxgate/wxgate/internal/bench/process"
	"github.com/wxgate/wxgate/internal/bench/report"
	"github.com/wxgate/wxgate/internal/bench/seed"
)

// extraTime is how long a load may take beyond its time until it fails.
const extraTime = 30 * time.Second

// values are the results of one measurement.
type values = map[report.Metric]float64

// loadOnce loads one server.
func (w *workbench) loadOnce(ctx context.Context, s *server) (values, error) {
	w.weChat.drain()
	running := load.Start(ctx, load.Config{
		Address: s.address, Callers: s.callers, Rate: w.cfg.Rate, Timeout: w.cfg.Warmup + w.cfg.Duration + extraTime,
	})
	var before, after usages
	err := pause(ctx, w.cfg.Warmup, running.Failed())
	if err == nil {
		w.weChat.drain()
		before, err = w.usages(s)
		running.Measure()
	}
	if err == nil {
		err = pause(ctx, w.cfg.Duration, running.Failed())
	}
	running.Stop()
	if err == nil {
		after, err = w.usages(s)
	}
	result, failure := running.Wait()
	if err := errors.Join(failure, s.ended()); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	return w.values(result, before, after)
}

// ended returns an error if the process has ended.
func (s *server) ended() error {
	if s.child == nil {
		return nil
	}
	return s.child.Err()
}

// errNothing is for a round without operations.
var errNothing = errors.New("no operation completed; set a longer --duration, or fewer --connections")

func (w *workbench) values(result load.Result, before, after usages) (values, error) {
	if result.Operations == 0 {
		return nil, errNothing
	}
	n := float64(result.Operations)
	found := values{
		report.Operations: n,
		report.Seconds:    result.Elapsed.Seconds(),
		report.Throughput: n / result.Elapsed.Seconds(),
		report.P50:        microseconds(result.Quantile(0.50)),
		report.P99:        microseconds(result.Quantile(0.99)),
	}
	if took := w.weChat.drain(); len(took) > 0 && w.cfg.Scenario == loginScenario {
		found[report.WeChatP99] = microseconds(load.Result{Latencies: took}.Quantile(0.99))
	}
	if after.server != nil {
		found[report.CPU] = microseconds(after.server.CPU-before.server.CPU) / n
		found[report.Anonymous] = float64(after.server.Anonymous)
		found[report.Resident] = float64(after.server.Resident)
	}
	if after.self != nil {
		found[report.LoadCPU] = microseconds(after.self.CPU-before.self.CPU) / n
	}
	if after.upstream != nil && w.cfg.scenario.proxies {
		found[report.UpstreamCPU] = microseconds(after.upstream.CPU-before.upstream.CPU) / n
	}
	return found, nil
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// usages are the resources that the processes of a round have used; nil if unknown.
type usages struct{ server, self, upstream *process.Usage }

func (w *workbench) usages(s *server) (usages, error) {
	var u usages
	if !process.Measured() {
		return u, nil
	}
	for _, one := range []struct {
		into **process.Usage
		pids []int
	}{{&u.server, s.pids}, {&u.self, []int{os.Getpid()}}, {&u.upstream, w.upstream.pids}} {
		if len(one.pids) == 0 {
			continue // a peer on another machine, or of another user
		}
		used, err := process.Read(one.pids)
		if err != nil {
			return u, err
		}
		*one.into = &used
	}
	return u, nil
}

// startOnce starts a server, reads its memory after a while, and stops it.
func (w *workbench) startOnce(ctx context.Context, s *server) (found values, err error) {
	defer func() { err = errors.Join(err, s.stop()) }()
	took, err := s.run(ctx)
	if err != nil {
		return nil, err
	}
	found = values{report.Ready: float64(took) / float64(time.Millisecond)}
	if err := pause(ctx, w.cfg.Duration, s.child.Done()); err != nil {
		return nil, errors.Join(err, s.ended())
	}
	u, err := w.usages(s)
	if err != nil || u.server == nil {
		return found, err
	}
	if info, err := os.Stat(seed.StorePath(w.home(s.name))); err == nil { // otherwise it has no store
		found[report.StoreFile] = float64(info.Size())
	}
	found[report.StartCPU] = float64(u.server.CPU) / float64(time.Millisecond)
	found[report.Anonymous] = float64(u.server.Anonymous)
	found[report.Resident] = float64(u.server.Resident)
	return found, nil
}
