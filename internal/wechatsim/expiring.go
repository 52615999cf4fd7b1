package wechatsim

import "time"

// An expiring is a map that forgets its oldest entries some time after they
// stopped being valid, so that a simulator under load for a day does not grow
// for a day. Entries must be put in the order in which they may be forgotten.
// It has no lock of its own.
type expiring[V any] struct {
	items map[string]V
	queue []forget
}

// A forget is a key and the time from which nobody needs it.
type forget struct {
	key string
	at  time.Time
}

func newExpiring[V any]() expiring[V] {
	return expiring[V]{items: make(map[string]V)}
}

// put stores v until the time at, and drops what is due at now.
func (e *expiring[V]) put(key string, v V, now, at time.Time) {
	for len(e.queue) > 0 && now.After(e.queue[0].at) {
		delete(e.items, e.queue[0].key)
		e.queue = e.queue[1:]
	}
	e.items[key] = v
	e.queue = append(e.queue, forget{key: key, at: at})
}

// get returns the entry of key, valid or not, if it is still remembered.
func (e *expiring[V]) get(key string) (V, bool) {
	v, ok := e.items[key]
	return v, ok
}
