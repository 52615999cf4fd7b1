package memory

import (
	"context"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// UpdateAttempts implements [auth.Store]. edit runs with the lock held.
func (m *Store) UpdateAttempts(ctx context.Context, u auth.User, edit func(*auth.Attempts)) error {
	return m.step(ctx, func(time.Time) ([]auth.Revocation, error) {
		attempts := m.attempts[u]
		attempts.Keys = slices.Clone(attempts.Keys)
		edit(&attempts)
		if attempts.Empty() {
			delete(m.attempts, u)
		} else {
			m.attempts[u] = attempts
		}
		return nil, nil
	})
}

// sweepAttempts looks at every user whose open data failed to decrypt lately: few.
func (m *Store) sweepAttempts(now time.Time) {
	for u, a := range m.attempts {
		if !a.Until().After(now) {
			delete(m.attempts, u)
		}
	}
}
