package session

import (
	"context"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// Start begins sweeping until [Memory.Close]. Started twice is started once.
func (m *Memory) Start() {
	m.sweeper.start(m.opts.SweepEvery, func(ctx context.Context) {
		if _, err := m.Sweep(ctx, m.opts.sweepNow(), sweepLimit); err != nil && ctx.Err() == nil {
			m.opts.OnError(err)
		}
	})
}

// Close ends sweeping. What is kept goes with the last reference to the store.
func (m *Memory) Close() error {
	m.sweeper.stop()
	return nil
}

// Ready reports whether the store can be used: always.
func (m *Memory) Ready(context.Context) error { return nil }

// Sweep removes what is over at now, at most limit entries under one lock, and
// says how many there were.
func (m *Memory) Sweep(ctx context.Context, now time.Time, limit int) (removed int, err error) {
	for more := true; more; {
		err := m.step(ctx, func(time.Time) ([]auth.Revocation, error) {
			var n int
			n, more = m.sweepSome(now, limit)
			removed += n
			return nil, nil
		})
		if err != nil {
			return removed, err
		}
	}
	return removed + m.set.Sweep(now), nil
}

func (m *Memory) sweepSome(now time.Time, limit int) (removed int, more bool) {
	for range limit {
		id, ok := m.ends.take(now)
		if !ok {
			m.sweepRevoked(now)
			m.sweepAttempts(now)
			return removed, false
		}
		s, held := m.sessions[id]
		switch {
		case !held: // ended before its time
		case s.Ended(now):
			m.remove(s, now)
			removed++
		default:
			m.ends.add(s.End(), id) // was prolonged
		}
	}
	return removed, true
}

// sweepRevoked looks at every user who logged out everywhere lately: few.
func (m *Memory) sweepRevoked(now time.Time) {
	for u, rev := range m.revoked {
		if !rev.Until.After(now) {
			delete(m.revoked, u)
		}
	}
}

// Stats are a store's figures, for metrics.
type Stats struct {
	Sessions, Users int
	Revocations     Counts
	Bytes           int64 // of the file; 0 without one
}

// Stats counts.
func (m *Memory) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Stats{Sessions: len(m.sessions), Users: len(m.users), Revocations: m.set.Len()}
}
