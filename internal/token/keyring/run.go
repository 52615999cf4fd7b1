package keyring

import (
	"context"
	"time"
)

const (
	// reloadEvery is how often a replica looks for keys that another one made.
	// It is far below publishAhead, so that no replica meets a key unprepared.
	reloadEvery = time.Minute
	// hintGap is the least time between two reloads that unknown key IDs caused:
	// tokens are free to forge, reads of the storage are not.
	hintGap = 10 * time.Second
	// storageTimeout bounds one look at the storage, locks included.
	storageTimeout = 20 * time.Second
)

// Run keeps the ring up to date until ctx ends: each minute, soon after a token
// named an unknown key, since a replica with another configuration may just have
// made it, and at once after [Ring.Changed]. Requests never wait for it. What goes
// wrong is reported and tried again; the keys at hand go on signing.
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

// Changed says that another replica took a key out of the ring: Run reads it
// again at once, or this replica would go on signing with that key for a minute.
// It never waits.
func (r *Ring) Changed() {
	select {
	case r.changed <- struct{}{}:
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
