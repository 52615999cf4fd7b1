package queue

import (
	"context"
	"time"
)

// sampleEvery is how old a sample may be. Each costs one call of the store.
const sampleEvery = 5 * time.Second

// Status returns what the store keeps.
func (q *Queue) Status(ctx context.Context) (Status, error) {
	s, err := q.cfg.Store.Status(ctx)
	if err != nil {
		return Status{}, err
	}
	q.sampled.Store(&s)
	return s, nil
}

// Sampled returns what the store kept a few seconds ago, without asking it: metrics wait for
// no disk and no network. It is not known before [Queue.Run] and while the store fails.
func (q *Queue) Sampled() (s Status, known bool) {
	if sample := q.sampled.Load(); sample != nil {
		return *sample, true
	}
	return Status{}, false
}

// runSampling keeps the sample young until ctx ends.
func (q *Queue) runSampling(ctx context.Context) {
	for {
		q.sample(ctx)
		if !sleep(ctx, nil, sampleEvery) {
			return
		}
	}
}

// sample reads the store. That it fails is seen by the sample that is missing, and in the log
// of the delivery.
func (q *Queue) sample(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	if _, err := q.Status(ctx); err != nil {
		q.sampled.Store(nil)
	}
}
