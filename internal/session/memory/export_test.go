package memory

// SetMax makes a memory store small enough to fill.
func (m *Store) SetMax(n int) { m.max = n }
