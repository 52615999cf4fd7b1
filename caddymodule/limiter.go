package caddymodule

import (
	"container/heap"
	"sync"
	"time"
)

// maxBuckets bounds a limiter's memory, in entries of some 150 bytes.
const maxBuckets = 100_000

// limiter keeps an allowance for each key: the generic cell rate algorithm, as
// Redis runs it for all machines. A key is forgotten when its allowance is full
// again. A new key beyond [maxBuckets] replaces the key with the fullest allowance,
// so a client with many addresses cannot use up the places of others, nor refill
// its own allowance.
type limiter[K comparable] struct {
	n   int
	per time.Duration

	mu      sync.Mutex // guards all below
	buckets map[K]*bucket[K]
	fullest fullestHeap[K]
}

// bucket is one key's allowance.
type bucket[K comparable] struct {
	key   K
	whole time.Time // when the allowance is full again
	at    int       // in the heap
}

func newLimiter[K comparable](n int, per time.Duration) *limiter[K] {
	return &limiter[K]{n: n, per: per, buckets: make(map[K]*bucket[K])}
}

// take spends one of key's allowance, or says when the next one is due.
func (l *limiter[K]) take(key K, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(now)
	each := l.per / time.Duration(l.n)
	b, known := l.buckets[key]
	if !known {
		b = &bucket[K]{key: key, whole: now}
	}
	if wait := b.whole.Sub(now) - each*time.Duration(l.n-1); wait > 0 {
		return limited(wait)
	}
	b.whole = b.whole.Add(each)
	if known {
		heap.Fix(&l.fullest, b.at)
		return nil
	}
	if len(l.fullest) >= maxBuckets {
		l.drop()
	}
	l.buckets[key] = b
	heap.Push(&l.fullest, b)
	return nil
}

// forget drops the keys whose allowance is full.
func (l *limiter[K]) forget(now time.Time) {
	for len(l.fullest) > 0 && !l.fullest[0].whole.After(now) {
		l.drop()
	}
}

// drop forgets the key with the fullest allowance.
func (l *limiter[K]) drop() {
	if b, ok := heap.Pop(&l.fullest).(*bucket[K]); ok {
		delete(l.buckets, b.key)
	}
}

// Destruct forgets nothing: requests of an old configuration may still be counted.
func (*limiter[K]) Destruct() error { return nil }

// fullestHeap is a heap.Interface, the fullest allowance first.
type fullestHeap[K comparable] []*bucket[K]

func (h fullestHeap[K]) Len() int           { return len(h) }
func (h fullestHeap[K]) Less(i, j int) bool { return h[i].whole.Before(h[j].whole) }
func (h fullestHeap[K]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *fullestHeap[K]) Push(x any) {
	if b, ok := x.(*bucket[K]); ok {
		b.at = len(*h)
		*h = append(*h, b)
	}
}

func (h *fullestHeap[K]) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil // let go of what it holds
	*h = old[:len(old)-1]
	return last
}
