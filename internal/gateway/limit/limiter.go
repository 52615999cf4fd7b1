package limit

import (
	"container/heap"
	"sync"
	"time"
)

// maxBuckets bounds a limiter's memory, in entries of some 150 bytes.
const maxBuckets = 100_000

// Limiter keeps an allowance for each key: the generic cell rate algorithm, as Redis runs it
// for all machines. A key is forgotten when its allowance is full again. A new key beyond
// [maxBuckets] replaces the key with the fullest allowance, so a client with many addresses can
// neither use up the entries of others nor refill its own allowance.
type Limiter[K comparable] struct {
	rate Rate

	mu      sync.Mutex // guards all below
	buckets map[K]*bucket[K]
	fullest fullestHeap[K]
}

// bucket is one key's allowance.
type bucket[K comparable] struct {
	key  K
	full time.Time // when the allowance is full again
	at   int       // in the heap
}

// NewLimiter returns a limiter in which every key has its full allowance.
func NewLimiter[K comparable](rate Rate) *Limiter[K] {
	return &Limiter[K]{rate: rate, buckets: make(map[K]*bucket[K])}
}

// Rate returns the limiter's rate.
func (l *Limiter[K]) Rate() Rate { return l.rate }

// Keys returns how many keys have less than their full allowance. Keys whose allowance is
// full again may be counted until the next request.
func (l *Limiter[K]) Keys() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.buckets)
}

// Take uses one request of the key's allowance. If the allowance is empty, the error has the
// time to wait.
func (l *Limiter[K]) Take(key K, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(now)
	each := l.rate.Per / time.Duration(l.rate.N)
	b, known := l.buckets[key]
	if !known {
		b = &bucket[K]{key: key, full: now}
	}
	if wait := b.full.Sub(now) - each*time.Duration(l.rate.N-1); wait > 0 {
		return exceeded(wait)
	}
	b.full = b.full.Add(each)
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
func (l *Limiter[K]) forget(now time.Time) {
	for len(l.fullest) > 0 && !l.fullest[0].full.After(now) {
		l.drop()
	}
}

// drop forgets the key with the fullest allowance.
func (l *Limiter[K]) drop() {
	if b, ok := heap.Pop(&l.fullest).(*bucket[K]); ok {
		delete(l.buckets, b.key)
	}
}

// Destruct implements Caddy's Destructor. It keeps the counts: requests of an old
// configuration may still be counted.
func (*Limiter[K]) Destruct() error { return nil }

// fullestHeap is a heap.Interface, the fullest allowance first.
type fullestHeap[K comparable] []*bucket[K]

func (h fullestHeap[K]) Len() int           { return len(h) }
func (h fullestHeap[K]) Less(i, j int) bool { return h[i].full.Before(h[j].full) }
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
	old[len(old)-1] = nil // for the garbage collector
	*h = old[:len(old)-1]
	return last
}
