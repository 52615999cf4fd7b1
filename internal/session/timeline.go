package session

import (
	"container/heap"
	"time"
)

// Timeline orders things by when they are due. A thing is added once and not updated: after
// taking a thing, the caller checks whether it was extended meanwhile, and then adds it
// again.
type Timeline[T any] struct{ h dueHeap[T] }

type due[T any] struct {
	at    time.Time
	thing T
}

// Add adds a thing that is due at a time.
func (t *Timeline[T]) Add(at time.Time, thing T) { heap.Push(&t.h, due[T]{at: at, thing: thing}) }

// Take removes the first thing if it is due at now.
func (t *Timeline[T]) Take(now time.Time) (thing T, ok bool) {
	if len(t.h) == 0 || t.h[0].at.After(now) {
		return thing, false
	}
	return t.TakeFirst()
}

// First returns when the first thing is due.
func (t *Timeline[T]) First() (at time.Time, ok bool) {
	if len(t.h) == 0 {
		return time.Time{}, false
	}
	return t.h[0].at, true
}

// TakeFirst removes the first thing, due or not.
func (t *Timeline[T]) TakeFirst() (thing T, ok bool) {
	if len(t.h) == 0 {
		return thing, false
	}
	first, ok := heap.Pop(&t.h).(due[T])
	return first.thing, ok
}

// dueHeap is a heap.Interface, soonest first.
type dueHeap[T any] []due[T]

func (h dueHeap[T]) Len() int           { return len(h) }
func (h dueHeap[T]) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h dueHeap[T]) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

func (h *dueHeap[T]) Push(x any) {
	if d, ok := x.(due[T]); ok {
		*h = append(*h, d)
	}
}

func (h *dueHeap[T]) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = due[T]{} // release what it references
	*h = old[:len(old)-1]
	return last
}
