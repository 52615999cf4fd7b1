package keyring

import (
	"context"
	"time"
)

const (
	// reloadEvery is how often a replica reads the keys that other replicas created. It
	// is far below publishAhead, so that every replica has a key before it signs.
	reloadEvery = time.Minute
	// hintGap is the shortest time between two reloads after unknown key IDs. Clients
	// can send any number of forged tokens; without the gap each would cost a read of
	// the storage (denial of service).
	hintGap = 10 * time.Second
	// storageTimeout limits one reload, with the time that it waits for locks.
	storageTimeout = 20 * time.Second
)

// Run keeps the ring up to date until ctx ends. It reads the stored keys every minute, at once
// after [Ring.Changed], and soon after a token named an unknown key, which another replica may
// just have created. Requests never wait for Run. It reports errors and tries again; until
// then the current keys stay in use.
func (r *Ring) Run(ctx context.Context) {
	ticker := time.NewTicker(reloadEvery)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-r.changed:
		case <-r.unknown:
			if time.Since(last) < hintGap {
				continue
			}
		}
		last = time.Now()
		r.tick(ctx)
	}
}

// Changed reports that another replica retired a key. Run then reads the ring at
// once; otherwise this replica would sign with that key for up to a minute. Changed
// never waits.
func (r *Ring) Changed() { notify(r.changed) }

// notify sends to a channel with a buffer of one, unless the buffer is full.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (r *Ring) tick(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	if err := r.Tick(bounded); err != nil && ctx.Err() == nil {
		r.report(err)
	}
}

func (r *Ring) report(err error) {
	r.mu.Lock()
	report := r.cfg.Report
	r.mu.Unlock()
	report(err)
}
