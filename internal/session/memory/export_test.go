package memory

import "github.com/wxgate/wxgate/internal/session/sessiontest"

// SetMax makes a memory store small enough to fill.
func (m *Store) SetMax(n int) { m.max = n }

// Count counts what the store keeps.
func (m *Store) Count() sessiontest.Counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	return sessiontest.Counts{Sessions: len(m.sessions), Users: len(m.users)}
}
