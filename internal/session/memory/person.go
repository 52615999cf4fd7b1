package memory

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// UsersOf implements [auth.Store]. It visits all sessions: see find.
func (m *Store) UsersOf(ctx context.Context, u auth.UnionID) ([]auth.User, error) {
	users := make(map[auth.User]bool)
	err := m.step(ctx, func(now time.Time) ([]auth.Revocation, error) {
		for _, s := range m.sessions {
			if s.UnionID == u && !s.Ended(now) {
				users[s.User] = true
			}
		}
		return nil, nil
	})
	return slices.Collect(maps.Keys(users)), err
}
