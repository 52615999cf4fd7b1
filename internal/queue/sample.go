package queue

import (
	"context"
	"time"
)

// sampleEvery is the maximum age of a sample. Each sample costs one call of the store.
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

// Sampled returns the status of a few seconds ago, without a call of the store: metrics must not
// wait for a disk or a network. It is not known before [Queue.Run] and while the store fails.
func (q *Queue) Sampled() (s Status, known bool) {
	if sample := q.sampled.Load(); sample != nil {
		return *sample, true
	}
	return Status{}, false
}

// runSampling refreshes the sample until ctx ends.
func (q *Queue) runSampling(ctx context.Context) {
	for {
		q.sample(ctx)
		if !sleep(ctx, nil, sampleEvery) {
			return
		}
	}
}

// sample reads the store. After a failure there is no sample; the delivery logs the error.
func (q *Queue) sample(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	if _, err := q.Status(ctx); err != nil {
		q.sampled.Store(nil)
	}
}
