package memory

import (
	"context"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// Start begins sweeping until [Store.Close]. A second call does nothing.
func (m *Store) Start() {
	m.sweeper.Start(m.opts.SweepEvery, func(ctx context.Context) {
		if _, err := m.Sweep(ctx, m.opts.SweepNow(), session.SweepLimit); err != nil && ctx.Err() == nil {
			m.opts.OnError(err)
		}
	})
}

// Close ends sweeping. What is kept goes with the last reference to the store.
func (m *Store) Close() error {
	m.sweeper.Stop()
	return nil
}

// Ready reports whether the store can be used: always.
func (m *Store) Ready(context.Context) error { return nil }

// Sweep removes what is over at now, at most limit entries under one lock, and
// says how many there were.
func (m *Store) Sweep(ctx context.Context, now time.Time, limit int) (removed int, err error) {
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

func (m *Store) sweepSome(now time.Time, limit int) (removed int, more bool) {
	for range limit {
		id, ok := m.ends.Take(now)
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
			m.ends.Add(s.End(), id) // was prolonged
		}
	}
	return removed, true
}

// sweepRevoked looks at every user who logged out everywhere lately: few.
func (m *Store) sweepRevoked(now time.Time) {
	for u, rev := range m.revoked {
		if !rev.Until.After(now) {
			delete(m.revoked, u)
		}
	}
}
