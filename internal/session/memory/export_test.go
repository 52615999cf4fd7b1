package memory

import (
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// SetMax makes a memory store small enough to fill.
func (m *Store) SetMax(n int) { m.max = n }

// Count counts the sessions one by one.
func (m *Store) Count() session.Counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	users := make(map[auth.User]bool)
	for _, s := range m.sessions {
		users[s.User] = true
	}
	return session.Counts{Sessions: len(m.sessions), Users: len(users)}
}
