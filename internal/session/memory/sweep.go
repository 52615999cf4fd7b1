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

// Close stops sweeping. The sessions are freed with the last reference to the store.
func (m *Store) Close() error {
	m.sweeper.Stop()
	return nil
}

// Ready reports whether the store can be used: always.
func (m *Store) Ready(context.Context) error { return nil }

// Sweep removes entries that have expired at now, at most limit under one lock, and returns
// their number.
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
		s, ok := m.sessions[id]
		switch {
		case !ok: // ended before its time
		case s.Ended(now):
			m.remove(s, now)
			removed++
		default:
			m.ends.Add(s.End(), id) // was extended
		}
	}
	return removed, true
}

// sweepRevoked visits every user who recently logged out everywhere: only a few.
func (m *Store) sweepRevoked(now time.Time) {
	for u, rev := range m.revoked {
		if !rev.Until.After(now) {
			delete(m.revoked, u)
		}
	}
}
