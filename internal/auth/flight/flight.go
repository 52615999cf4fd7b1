// Package flight lets simultaneous calls with the same key share one result.
package flight

import (
	"context"
	"sync"
)

// Group has the flights in progress. Its zero value is ready to use.
type Group[K comparable, R any] struct {
	mu   sync.Mutex
	open map[K]*Flight[R]
}

// Flight is one shared call.
type Flight[R any] struct {
	landed chan struct{}
	result R // written by the leader before landed is closed; read by the others afterwards
}

// Join joins the flight of a key. leads reports whether the caller is the leader, which must
// call Set and Land. If the leader panics before Set, the flight's result is result.
func (g *Group[K, R]) Join(key K, result R) (f *Flight[R], leads bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f, ok := g.open[key]; ok {
		return f, false
	}
	f = &Flight[R]{landed: make(chan struct{}), result: result}
	if g.open == nil {
		g.open = make(map[K]*Flight[R])
	}
	g.open[key] = f
	return f, true
}

// Land ends the flight of a key: a later call does not share its result.
func (g *Group[K, R]) Land(key K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.open[key].landed)
	delete(g.open, key)
}

// Set sets the result. Only the leader may call it, before it lands.
func (f *Flight[R]) Set(result R) { f.result = result }

// Wait returns the result once the flight has landed, or the cause of the context's end.
func (f *Flight[R]) Wait(ctx context.Context) (result R, err error) {
	select {
	case <-f.landed:
		return f.result, nil
	case <-ctx.Done():
		return result, context.Cause(ctx)
	}
}
