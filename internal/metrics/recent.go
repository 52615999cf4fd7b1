package metrics

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// recentMinutes is the time that [Recent] covers: long enough for a rate, and short
	// enough that an operator sees what a change did.
	recentMinutes = 5
	// guarded is the call of [Rate] that counts guarded requests.
	guarded = "request"
)

// Rate is how often a call recently had an outcome.
type Rate struct {
	Call    string // of the login API, or "request" for guarded requests
	Outcome string // as the label of [Requests] and [Calls]
	Count   int
}

// Recent records how [Requests] and [Calls] increased in the last minutes. It reads them once a
// minute, so that requests have no extra cost.
type Recent struct {
	registry *prometheus.Registry
	stop     context.CancelFunc
	done     chan struct{}

	mu    sync.Mutex
	taken []snapshot // the oldest first
}

type snapshot struct {
	at     time.Time
	counts map[Rate]float64 // Count is 0 in keys
}

// StartRecent starts to read the counters. Destruct stops it.
func StartRecent() (*Recent, error) {
	r := &Recent{registry: prometheus.NewRegistry(), done: make(chan struct{})}
	for _, counter := range []*prometheus.CounterVec{Requests, Calls} {
		if err := r.registry.Register(counter); err != nil {
			return nil, err
		}
	}
	ctx, stop := context.WithCancel(context.Background()) // it outlives the configuration
	r.stop = stop
	r.take()
	go r.run(ctx)
	return r, nil
}

// Destruct stops reading the counters. It implements caddy.Destructor.
func (r *Recent) Destruct() error {
	r.stop()
	<-r.done
	return nil
}

func (r *Recent) run(ctx context.Context) {
	defer close(r.done)
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.take()
		}
	}
}

func (r *Recent) take() {
	now := snapshot{time.Now(), r.read()}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken = append(r.taken, now); len(r.taken) > recentMinutes {
		r.taken = slices.Delete(r.taken, 0, 1)
	}
}

// read returns the current counters.
func (r *Recent) read() map[Rate]float64 {
	counts := map[Rate]float64{}
	families, err := r.registry.Gather()
	if err != nil {
		return counts // the scrape reports it
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			key := Rate{Call: guarded}
			for _, label := range metric.GetLabel() {
				switch label.GetName() {
				case "call":
					key.Call = label.GetValue()
				case "outcome":
					key.Outcome = label.GetValue()
				}
			}
			counts[key] = metric.GetCounter().GetValue()
		}
	}
	return counts
}

// Rates returns the counts since a time at most five minutes ago, sorted by call and outcome.
// Zero counts are omitted.
func (r *Recent) Rates() (since time.Time, rates []Rate) {
	now := r.read()
	r.mu.Lock()
	oldest := r.taken[0]
	r.mu.Unlock()
	for key, count := range now {
		if n := int(count - oldest.counts[key]); n > 0 {
			key.Count = n
			rates = append(rates, key)
		}
	}
	slices.SortFunc(rates, func(a, b Rate) int {
		return strings.Compare(a.Call+"\x00"+a.Outcome, b.Call+"\x00"+b.Outcome)
	})
	return oldest.at, rates
}
