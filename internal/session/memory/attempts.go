package memory

import (
	"context"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// UpdateAttempts implements [auth.Store]. edit runs with the lock held.
func (m *Store) UpdateAttempts(ctx context.Context, u auth.User, edit func(*auth.Attempts)) error {
	return m.step(ctx, func(time.Time) ([]auth.Revocation, error) {
		user := m.hash(u)
		attempts := m.attempts[user]
		attempts.Keys = slices.Clone(attempts.Keys)
		edit(&attempts)
		if attempts.Empty() {
			delete(m.attempts, user)
		} else {
			m.attempts[user] = attempts
		}
		return nil, nil
	})
}

// Attempts implements [auth.Store].
func (m *Store) Attempts(ctx context.Context, u auth.User) (*auth.Attempts, error) {
	var attempts auth.Attempts
	err := m.step(ctx, func(now time.Time) ([]auth.Revocation, error) {
		if a := m.attempts[m.hash(u)]; session.AttemptsActive(&a, now) {
			attempts = a
			attempts.Keys = slices.Clone(a.Keys)
		}
		return nil, nil
	})
	return &attempts, err
}

// sweepAttempts visits every user whose open data recently failed to decrypt: only a few.
func (m *Store) sweepAttempts(now time.Time) {
	for u, a := range m.attempts {
		if !a.Until().After(now) {
			delete(m.attempts, u)
		}
	}
}
