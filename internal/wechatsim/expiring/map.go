// Package expiring has the map in which the simulator remembers codes and tokens, whose memory
// is bounded.
package expiring

import (
	"iter"
	"maps"
	"time"
)

// maxEntries is how many entries a map has: more than any test makes, and a bound on what a
// client of the API can make the simulator store.
const maxEntries = 100_000

// A Map deletes its oldest entries some time after they expired. Entries must be added in the
// order in which they may be deleted. It has no lock.
type Map[V any] struct {
	items map[string]V
	queue []forget
}

// A forget is a key and the time when it may be deleted.
type forget struct {
	key string
	at  time.Time
}

// New returns an empty map.
func New[V any]() Map[V] { return Map[V]{items: make(map[string]V)} }

// Put stores v until at. It deletes the entries that are due at now, and the oldest of too many.
func (m *Map[V]) Put(key string, v V, now, at time.Time) {
	for len(m.queue) > 0 && (now.After(m.queue[0].at) || len(m.queue) >= maxEntries) {
		delete(m.items, m.queue[0].key)
		m.queue = m.queue[1:]
	}
	m.items[key] = v
	m.queue = append(m.queue, forget{key: key, at: at})
}

// Get returns the entry of key, valid or expired, unless it was deleted.
func (m *Map[V]) Get(key string) (V, bool) {
	v, ok := m.items[key]
	return v, ok
}

// All returns all entries, in no order.
func (m *Map[V]) All() iter.Seq2[string, V] { return maps.All(m.items) }
